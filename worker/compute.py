"""From a claimed job to its result: load, resolve the model, explain, draw, store."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import structlog

from worker.admission import SEAT_LEASE_S, Admission
from worker.explain.explain import explain
from worker.explain.explanation import Explanation
from worker.explain.geometry import Geometry
from worker.explain.label_maps import LabelMap
from worker.explain.options import ExplanationOptions, Picture, TopClasses
from worker.explain.overlays import Scene, draw
from worker.explain.result_warning import ResultWarning
from worker.heartbeat import Heartbeat
from worker.jobs.job import Job, artifact_key
from worker.jobs.store import Claim
from worker.model_input import geometry_for
from worker.ports import Model, Ports
from worker.progress import Reporter
from worker.result import UploadSegments, attributions_json, class_name, result_json
from worker.reuse import share_work, work_alone
from worker.serving.errors import ModelVersionGone
from worker.serving.resolved import ResolvedModel
from worker.upload import Upload, load
from worker.watched import Watched
from worker.writer import Writer

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Explained:
    """An explanation, the model version that it is of, and how pixels map between the two."""

    explanation: Explanation
    model: ResolvedModel
    geometry: Geometry
    model_calls: int
    warnings: tuple[ResultWarning, ...] = ()


def compute(
    claim: Claim, *, ports: Ports, heartbeat: Heartbeat, report: Reporter
) -> dict[str, Any]:
    """Explain the job's image and store every artifact.

    Returns
    -------
    dict
        The job's result in JSON values.

    Raises
    ------
    worker.heartbeat.Interrupted
        If the work was stopped at a checkpoint.
    worker.jobs.traffic.ModelBusy
        If the model takes no further job now.
    worker.reuse.WorkShared
        If another job does the same work or has done it; an ``Interrupted``.
    Exception
        The errors of ``worker.failures.REASONS``.
    """
    heartbeat.checkpoint()
    job = claim.job
    model = ports.model(job.request.model)
    report.enter("resolving")
    with Admission(
        ports.seats,
        job,
        call=ports.call,
        pace=model.pace,
        most=model.max_in_flight,
        lease_s=min(ports.limits.lease_s, SEAT_LEASE_S),
    ) as admission:
        pinned = _resolve(job.request.version, model=model, ports=ports, heartbeat=heartbeat)
        heartbeat.outlast(partial(share_work, claim, pinned, ports=ports))
        heartbeat.outlast(admission.take_seat)
        with heartbeat.renewing(admission.renew):
            report.enter("loading")
            upload = heartbeat.outlast(partial(load, job, pinned, ports.blobs))
            explained = _explain(
                pinned,
                claim,
                upload,
                model=model,
                seats=admission.in_flight,
                ports=ports,
                heartbeat=heartbeat,
                report=report,
            )
    explanation = explained.explanation

    report("drawing", explanation.samples_used, explanation.samples_limit)
    started = time.monotonic()
    with Writer(ports.blobs, outlast=heartbeat.outlast, checkpoint=heartbeat.checkpoint) as writer:
        on_upload = UploadSegments.measure(
            explained.geometry.labels_to_upload(explanation.segments),
            numbers=explanation.segment_numbers,
        )
        overlays = _draw(claim, upload, explained, on_upload, writer, heartbeat=heartbeat)
        _write_arrays(claim, explained, on_upload, writer)
        draw_s = time.monotonic() - started
        report.enter("storing")
    heartbeat.checkpoint()
    return result_json(
        explanation,
        model=explained.model,
        on_upload=on_upload,
        options=job.request.options,
        overlays=overlays,
        model_calls=explained.model_calls,
        timings={"queued_s": _queued_s(job), "draw_s": draw_s},
        warnings=explained.warnings,
        libraries=ports.libraries,
        fence=claim.fence,
    )


def _resolve(
    version: int | None, *, model: Model, ports: Ports, heartbeat: Heartbeat
) -> ResolvedModel:
    limit_s = ports.limits.resolve_timeout_s
    return model.resolve(
        version,
        timeout_s=min(limit_s, max(heartbeat.remaining_s, 0.1)),
        checkpoint=heartbeat.checkpoint,
    )


def _explain(
    pinned: ResolvedModel,
    claim: Claim,
    upload: Upload,
    *,
    model: Model,
    seats: Callable[[], int],
    ports: Ports,
    heartbeat: Heartbeat,
    report: Reporter,
) -> Explained:
    """Explain on the pinned version of the model; start again, once, if that version goes away.

    A client that asked for a version gets that one or none. The others asked for what is served.
    """
    job = claim.job
    explain_on = partial(
        _explain_on,
        job=job,
        upload=upload,
        model=model,
        seats=seats,
        heartbeat=heartbeat,
        report=report,
    )
    try:
        return explain_on(pinned)
    except ModelVersionGone:
        if job.request.version is not None:
            raise
        heartbeat.checkpoint()
        current = _resolve(None, model=model, ports=ports, heartbeat=heartbeat)
        if current.version == pinned.version:
            raise
        log.info("model version gone", version=pinned.version, instead=current.version)
        heartbeat.outlast(partial(work_alone, claim, ports=ports))
    again = explain_on(current)
    warning = ResultWarning(
        code="model-version-changed",
        severity="info",
        text=f"Version {pinned.version} of the model was unloaded while this job ran; it was "
        f"started again on version {current.version}.",
        cure="To explain one version only, name it in the request.",
    )
    return replace(again, warnings=(*again.warnings, warning))


def _explain_on(
    resolved: ResolvedModel,
    *,
    job: Job,
    upload: Upload,
    model: Model,
    seats: Callable[[], int],
    heartbeat: Heartbeat,
    report: Reporter,
) -> Explained:
    geometry = geometry_for(
        resolved,
        resolved.preparation,
        upload_size=(upload.rgb.shape[0], upload.rgb.shape[1]),
        orientation=upload.orientation,
    )
    label_map = None
    if upload.label_map is not None:
        label_map = LabelMap.at_input(upload.label_map, geometry)
    predictor = model.predictor(
        resolved,
        deadline_s=max(heartbeat.remaining_s, 0.1),
        checkpoint=heartbeat.checkpoint,
        seats=seats,
    )

    def on_progress(stage: str, samples_done: int, samples_limit: int) -> None:
        report(stage, samples_done, samples_limit)
        heartbeat.checkpoint()

    with closing(Watched(predictor, heartbeat.checkpoint)) as score:
        explanation = explain(
            geometry.to_input(upload.rgb),
            options=ExplanationOptions.model_validate(dict(job.request.options)),
            classes=_classes(job),
            score=score,
            batch_size=predictor.batch_size,
            frame=geometry.frame,
            custom_segments=None if label_map is None else label_map.labels,
            warnings=(*upload.warnings, *(() if label_map is None else label_map.warnings())),
            on_progress=on_progress,
        )
    return Explained(explanation, resolved, geometry, predictor.calls)


def _classes(job: Job) -> TopClasses | tuple[int, ...]:
    asked = job.request.classes
    return TopClasses.model_validate(dict(asked)) if isinstance(asked, Mapping) else tuple(asked)


def _draw(
    claim: Claim,
    upload: Upload,
    explained: Explained,
    on_upload: UploadSegments,
    writer: Writer,
    *,
    heartbeat: Heartbeat,
) -> dict[int, dict[str, str]]:
    """Draw and store each picture for each class; return style to format, per class index."""
    pictures = [Picture.model_validate(dict(one)) for one in claim.job.request.overlays]
    made: dict[int, dict[str, str]] = {}
    explanation = explained.explanation
    for one, trust in zip(explanation.classes, explanation.trust, strict=True):
        name = class_name(explained.model, one.class_index)
        scene = Scene(
            upload=upload.rgb,
            segments=on_upload.labels,
            attributions=one.attributions,
            class_name=f"class {one.class_index}" if name is None else name,
            score=one.score,
            r2=one.r2,
            press_r2=one.press_r2,
            score_kind=explanation.score_kind,
            unit=explanation.score_scale,
            trust=trust.level,
            warnings=tuple(
                told
                for told in (*explanation.warnings, *explained.warnings)
                if told.class_index in (None, one.class_index)
            ),
            input_pixel=explained.geometry.input_pixel,
        )
        for picture in pictures:
            heartbeat.checkpoint()
            path = f"overlays/{one.class_index}/{picture.style}.{picture.format}"
            writer.put(artifact_key(claim.job.ref, claim.fence, path), draw(picture, scene))
            made.setdefault(one.class_index, {})[picture.style] = picture.format
    return made


def _write_arrays(
    claim: Claim, explained: Explained, on_upload: UploadSegments, writer: Writer
) -> None:
    attributions = attributions_json(
        explained.explanation,
        model=explained.model,
        on_upload=on_upload,
    )
    for name, data in (("attributions.json", attributions), ("segments.png", on_upload.png())):
        writer.put(artifact_key(claim.job.ref, claim.fence, name), data)


def _queued_s(job: Job) -> float:
    return max(0.0, (job.started_at or job.created_at) - job.created_at)
