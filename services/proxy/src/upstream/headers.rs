//! Which headers go through the door, in both directions.

use sanctum_http::hyper::http::HeaderName;
use sanctum_http::{HeaderMap, header};

/// Hop-by-hop (RFC 9110 §7.6.1), what the connection sets itself, the client's keys, and what is between client and house.
const KEPT_IN: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "host",
    "content-length",
    "expect",
    "authorization",
    "x-api-key",
    "x-goog-api-key",
    "accept-encoding",
    "cookie",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
];

/// The same for answers; a body that has been looked at is not compressed any more.
const KEPT_OUT: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
    "set-cookie",
    "www-authenticate",
    "alt-svc",
    "strict-transport-security",
    "date",
];

fn house(name: &HeaderName) -> bool {
    name.as_str().starts_with("x-sanctum-")
}

/// What of a client's headers goes on to a provider.
pub(crate) fn forwarded(from: &HeaderMap) -> HeaderMap {
    let mut to = HeaderMap::with_capacity(from.len() + 4);
    // A header that the `connection` header names is for this hop only.
    let named = from.get(header::CONNECTION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let plain =
        named.is_empty() || named.eq_ignore_ascii_case("keep-alive") || named.eq_ignore_ascii_case("close");
    for (name, value) in from {
        let hop = !plain && named.split(',').any(|hop| hop.trim().eq_ignore_ascii_case(name.as_str()));
        if !hop && !KEPT_IN.contains(&name.as_str()) && !house(name) {
            to.append(name, value.clone());
        }
    }
    to
}

/// What of a provider's headers comes back to the client.
pub(crate) fn returned(from: &HeaderMap, to: &mut HeaderMap) {
    for (name, value) in from {
        if !KEPT_OUT.contains(&name.as_str()) && !house(name) {
            to.append(name, value.clone());
        }
    }
}
