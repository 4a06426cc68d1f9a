// A browser that goes back may show a page as it left it. Meanwhile somebody may have signed out,
// or the job may have been erased: ask again.

addEventListener("pageshow", ({ persisted }) => {
  if (persisted) location.reload();
});
