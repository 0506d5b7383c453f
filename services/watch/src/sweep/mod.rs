//! Asking every question in its time.
