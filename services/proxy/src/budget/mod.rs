//! Money: reserved before a request, settled after it, exact under concurrency and across a SIGKILL.
