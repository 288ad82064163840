// The Overview before the first event: as soon as something has arrived, the page is asked for anew.
document.addEventListener("eventhub:snapshot", ({ detail }) => {
  if (detail.last_event_at || detail.dead_letters.open) location.reload();
});
