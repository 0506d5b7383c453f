//! The table of kinds: one file each.

mod certificate;
mod command;
mod container;
mod contract;
mod disk;
mod dns;
mod events;
mod file;
mod health;
mod http;
mod icmp;
mod memory;
mod process;
mod sqlite;
mod tcp;
mod udp;

use sanctum_kernel::inventory::check::Check;

use crate::{Answer, Eyes, Stage};

/// Puts the question. Either side is the answer; the right one is the one that needed no further look.
pub(crate) async fn look(eyes: &Eyes, check: &Check, stage: &Stage) -> Result<Answer, Answer> {
    // Boxed apart, so that a look of one kind does not take the room of the largest.
    let Check { http, tcp, udp, dns, icmp, process, command, .. } = check;
    let Check { file, disk, memory, container, sqlite, events, certificate, contract, health, .. } = check;
    if let Some(http) = http {
        Box::pin(http::look(eyes, http, stage)).await
    } else if let Some(tcp) = tcp {
        Box::pin(tcp::look(eyes, tcp, stage)).await
    } else if let Some(health) = health {
        Box::pin(health::look(eyes, health, stage)).await
    } else if let Some(udp) = udp {
        Box::pin(udp::look(eyes, udp)).await
    } else if let Some(dns) = dns {
        Box::pin(dns::look(eyes, dns)).await
    } else if let Some(icmp) = icmp {
        Box::pin(icmp::look(eyes, icmp)).await
    } else if let Some(process) = process {
        Box::pin(process::look(eyes, process)).await
    } else if let Some(command) = command {
        Box::pin(command::look(command)).await
    } else if let Some(file) = file {
        Box::pin(file::look(eyes, file)).await
    } else if let Some(disk) = disk {
        Box::pin(disk::look(eyes, disk)).await
    } else if let Some(memory) = memory {
        memory::look(memory)
    } else if let Some(container) = container {
        Box::pin(container::look(container, stage)).await
    } else if let Some(sqlite) = sqlite {
        Box::pin(sqlite::look(eyes, sqlite)).await
    } else if let Some(events) = events {
        Box::pin(events::look(eyes, events, stage)).await
    } else if let Some(certificate) = certificate {
        Box::pin(certificate::look(eyes, certificate, stage)).await
    } else if let Some(contract) = contract {
        Box::pin(contract::look(eyes, *contract)).await
    } else {
        Err(Answer::unknown("the check asks nothing"))
    }
}
