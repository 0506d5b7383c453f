//! The Living Force with real processes, disks, sockets and networks.

#![expect(clippy::unwrap_used, reason = "clippy does not see that helpers of tests are tests")]

mod heal;
