//! Who may come in: a browser with a session of ours, or a script with a token of the house.

use sanctum_api::Problem;
use sanctum_http::axum::extract::FromRequestParts;
use sanctum_http::axum::http::request::Parts;
use sanctum_http::{Caller, HeaderMap, IntoResponse, Refusal, Response, StatusCode, header};
use sanctum_kernel::Right;

use crate::app::App;
use crate::pages;

/// The cookie. Its value is a session's id and means nothing anywhere else.
const COOKIE: &str = "sanctum_dashboard";

/// Somebody who may look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Visitor {
    /// `browser`, or the name on the token.
    pub(crate) who: String,
    right: Right,
    by_cookie: bool,
}

/// Somebody who may change something, by a request that one of our own pages or a script has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Actor(pub(crate) String);

impl FromRequestParts<App> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        if let Some(caller) = parts.extensions.get::<Caller>() {
            // The browser's own key opens nothing by itself at the door of other routes, and everything here.
            let right = if caller.name == "browser" { Right::Act } else { caller.right };
            if right >= Right::Read {
                return Ok(Self { who: caller.name.clone(), right, by_cookie: false });
            }
        }
        if let Some(id) = cookie(&parts.headers)
            && app.sessions.is_good(id).await
        {
            return Ok(Self { who: "browser".to_owned(), right: Right::Act, by_cookie: true });
        }
        Err(stranger(app, &parts.headers))
    }
}

impl FromRequestParts<App> for Actor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let visitor = Visitor::from_request_parts(parts, app).await?;
        if visitor.right < Right::Act {
            let said = format!("`{}` may look here, but not change anything", visitor.who);
            return Err(Refusal(Problem::new(403, "right", said)).into_response());
        }
        if visitor.by_cookie && !is_ours(&parts.headers) {
            let problem = Problem::new(403, "origin", "this request was made by another site's page");
            return Err(Refusal(problem.hint("use the buttons of the dashboard itself")).into_response());
        }
        Ok(Self(visitor.who))
    }
}

/// The `Set-Cookie` of a new session.
pub(crate) fn set_cookie(id: &str, seconds: u64) -> String {
    format!("{COOKIE}={id}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict")
}

/// Whether a person's browser asks, rather than a script.
pub(crate) fn wants_page(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|line| line.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE).then_some(value)
    })
}

/// Browsers say where a request comes from: in `Sec-Fetch-Site` (Fetch Metadata), older ones in `Origin`. A cookie
/// without either is not enough to change something.
fn is_ours(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin";
    }
    let host = text("host").unwrap_or_default();
    text("origin").is_some_and(|origin| {
        origin.split_once("://").is_some_and(|(_, from)| from == host && !host.is_empty())
    })
}

/// Says kindly where the way in is.
fn stranger(app: &App, headers: &HeaderMap) -> Response {
    if wants_page(headers) {
        return (StatusCode::UNAUTHORIZED, pages::html(pages::door::page(&app.house.house.name, false)))
            .into_response();
    }
    let problem = Problem::new(401, "who", "this is only for people and scripts of this house");
    let hint = "open the link that `sanctum up` and `sanctum status --url` print, or send `Authorization: Bearer` with the contents of `run/tokens/cli-dashboard`";
    Refusal(problem.hint(hint)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (sanctum_http::axum::http::HeaderName::from_static(name), value.parse().unwrap())
            })
            .collect()
    }

    #[test]
    fn only_our_own_pages_may_act_with_the_cookie() {
        let cases: &[(&[(&'static str, &str)], bool)] = &[
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "same-site")], false),
            (
                &[
                    ("sec-fetch-site", "cross-site"),
                    ("origin", "http://127.0.0.1:1111"),
                    ("host", "127.0.0.1:1111"),
                ],
                false,
            ),
            (&[("sec-fetch-site", "none")], false),
            (&[("origin", "http://127.0.0.1:1111"), ("host", "127.0.0.1:1111")], true),
            (&[("origin", "http://127.0.0.1:1984"), ("host", "127.0.0.1:1111")], false),
            (&[("origin", "null"), ("host", "127.0.0.1:1111")], false),
            (&[("host", "127.0.0.1:1111")], false),
            (&[], false),
        ];
        for (pairs, expected) in cases {
            assert_eq!(is_ours(&headers(pairs)), *expected, "{pairs:?}");
        }
    }

    #[test]
    fn finds_its_cookie_among_others() {
        assert_eq!(cookie(&headers(&[("cookie", "a=b; sanctum_dashboard=xyz; c=d")])), Some("xyz"));
        assert_eq!(cookie(&headers(&[("cookie", "not_sanctum_dashboard=xyz")])), None);
    }
}
