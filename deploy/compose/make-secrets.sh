#!/bin/sh
# Makes the stack's passwords and keys, once: make-secrets.sh DIRECTORY
# What is there is kept, so whoever has secrets of their own puts them there beforehand.
set -eu
# Redis, Grafana and our own processes run as different users; only they mount the directory.
umask 022
cd "$1"

random() {
    od -An -N32 -tx1 /dev/urandom | tr -d ' \n'
}

if [ ! -s limelight_redis_url ]; then
    password=$(random)
    printf 'requirepass %s\n' "$password" >redis.conf
    # Written last: an interrupted run makes both anew.
    printf 'redis://:%s@redis:6379/0\n' "$password" >limelight_redis_url
fi
[ -s limelight_secret_key ] || random >limelight_secret_key
[ -s grafana_password ] || random >grafana_password
