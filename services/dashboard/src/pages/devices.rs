//! The devices: whose they are, whether they are here, and what was seen of their blocks.

use maud::{Markup, html};
use sanctum_api::firewall::{BlockState, Device, Standing, Verdict};
use sanctum_api::transport::escape;
use sanctum_kernel::house::DeviceTier;

use super::{Cx, icons, unknown};
use crate::{Asked, words};

pub(crate) fn body(cx: &Cx<'_>, devices: &Asked<Vec<Device>>) -> Markup {
    match devices {
        Asked::Unknown(reason) => unknown("firewall", reason),
        Asked::Known(devices) if devices.is_empty() => html! { p.nothing { "No device has been seen yet." } },
        Asked::Known(devices) => html! {
            p.section-note { (summary(devices)) }
            ul.devices role="list" { @for shown in devices { (device(cx, devices, shown)) } }
        },
    }
}

fn summary(devices: &[Device]) -> String {
    let online = devices.iter().filter(|device| device.online).count();
    let blocked = match devices.iter().filter(|device| device.block.is_some()).count() {
        0 => "none blocked".to_owned(),
        number => format!("{number} blocked"),
    };
    format!("{online} of {} online, {blocked}", devices.len())
}

/// What it is, as far as its traffic or its rules tell.
fn kind(device: &Device) -> Option<&str> {
    device.kind.as_deref().or(match device.tier {
        Some(DeviceTier::Gaming) => Some("console"),
        Some(DeviceTier::Screen) => Some("tv"),
        _ => None,
    })
}

fn device(cx: &Cx<'_>, all: &[Device], device: &Device) -> Markup {
    let state = match &device.block {
        Some(block) if matches!(block.verdict, Verdict::Leaking | Verdict::Missing) => "alarm",
        Some(block) if block.verdict == Verdict::Unknown => "unknown",
        Some(_) => "blocked",
        None if device.online => "online",
        None => "away",
    };
    html! {
        li.device data-state=(state) data-device=(device.id) {
            span.device-sign { (icons::device(kind(device))) }
            div.device-text {
                h3 { (device.name) @if is_new(device) { span.tag { "new" } } }
                p.device-meta { (about(cx, device)) }
                @if let Some(block) = &device.block { (evidence(cx, block)) }
                @if is_new(device) { (newcomer(all, device)) }
            }
            p.device-state {
                @match &device.block {
                    Some(block) => {
                        span.pill data-state=(state) { (words::scope(&block.block.scope)) }
                        span.verdict { (words::verdict(block.verdict)) }
                    }
                    None => span.pill data-state=(state) { (if device.online { "online" } else { "away" }) }
                }
            }
        }
    }
}

/// Whose it is, which rules apply, where it is.
fn about(cx: &Cx<'_>, device: &Device) -> String {
    let owner = device.owner.as_deref().map(|owner| words::person(cx.house, owner).to_owned());
    let vendor = device.vendor.clone().filter(|_| device.owner.is_none());
    let address = device.addresses.first().map(ToString::to_string).filter(|_| device.online);
    let seen = device
        .last_seen
        .filter(|_| !device.online)
        .map(|at| format!("last seen {}", words::clock(at, cx.now, &cx.tz)));
    let parts = [owner, vendor, device.tier.map(|tier| words::tier(tier).to_owned()), address, seen];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "nothing is known of it".to_owned() } else { parts.join(" · ") }
}

fn evidence(cx: &Cx<'_>, block: &BlockState) -> Markup {
    html! {
        p.evidence {
            (words::capital(&block.block.reason))
            @if let Some(until) = block.block.until { ", until " (cx.time(until)) }
            @if !block.evidence.is_empty() { span.dim { " · " (block.evidence) } }
        }
    }
}

/// Whether a person should say who this is.
fn is_new(device: &Device) -> bool {
    matches!(device.standing, Standing::Quarantined | Standing::Automatic) || device.resembles.is_some()
}

fn newcomer(all: &[Device], device: &Device) -> Markup {
    let action = format!("/devices/{}/approve", escape(&device.id));
    let known = device.resembles.as_ref().map(|resembles| {
        let name = all
            .iter()
            .find(|other| other.id == resembles.device)
            .map_or(resembles.device.as_str(), |other| &other.name);
        (resembles, name)
    });
    html! {
        @if let Some((resembles, name)) = known {
            p.looks-like {
                "Looks like " strong { (name) }
                span.dim { " — " (percent(resembles.score)) " sure: the same " (resembles.because) }
            }
        }
        div.device-acts {
            @if let Some((resembles, name)) = known {
                form method="post" action=(action) data-live {
                    input type="hidden" name="same_as" value=(resembles.device);
                    button.act #{ "same-" (device.id) } { "Yes, it is " (name) }
                }
            }
            form method="post" action=(action) data-live {
                button.act.second #{ "approve-" (device.id) } { (if known.is_some() { "No, approve it as new" } else { "Approve" }) span.vh { " " (device.name) } }
            }
        }
    }
}

fn percent(score: f64) -> String {
    format!("{:.0} %", score.clamp(0.0, 1.0) * 100.0)
}
