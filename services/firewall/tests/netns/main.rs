//! The nftables router in network namespaces of its own. Needs root, `ip`, `nft`, `udhcpc` and `dnsmasq`: without them these
//! tests fail and say so.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[cfg(target_os = "linux")]
mod flows;
#[cfg(target_os = "linux")]
mod hung;
#[cfg(target_os = "linux")]
mod joins;
#[cfg(target_os = "linux")]
mod lab;
#[cfg(target_os = "linux")]
mod sabotage;
#[cfg(target_os = "linux")]
mod services;
#[cfg(target_os = "linux")]
mod traffic;
