"""What people look at: the page and the endpoints under `/_rehearsal`."""
