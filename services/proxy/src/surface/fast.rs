//! Model requests, before the routes see them.

use std::pin::Pin;
use std::sync::Arc;

use arc_swap::ArcSwap;
use sanctum_http::hyper::http::{HeaderValue, Method, Request, Response, StatusCode};
use sanctum_http::{Bytes, Fast, Incoming, header};

use super::models;
use crate::ask::Api;
use crate::body::OutBody;
use crate::gate::Gate;
use crate::pipeline;

/// The way in for model requests. Each is answered by the configuration that is in force when it comes.
#[derive(Clone)]
pub(crate) struct Front(pub(crate) Arc<ArcSwap<Gate>>);

type Answer = Pin<Box<dyn Future<Output = Response<OutBody>> + Send>>;

/// The API of a path; some clients leave the version out.
fn api(path: &str) -> Option<Api> {
    match path.strip_prefix("/v1").unwrap_or(path) {
        "/chat/completions" => Some(Api::Chat),
        "/messages" => Some(Api::Messages),
        "/responses" => Some(Api::Responses),
        "/messages/count_tokens" => Some(Api::CountTokens),
        "/embeddings" => Some(Api::Embeddings),
        "/audio/speech" => Some(Api::Speech),
        _ => None,
    }
}

impl Fast for Front {
    type Body = OutBody;
    type Answer = Answer;

    fn take(&self, request: Request<Incoming>) -> Result<Answer, Request<Incoming>> {
        let path = request.uri().path();
        let path = if path.len() > 1 { path.trim_end_matches('/') } else { path };
        if let Some(api) = api(path) {
            return match *request.method() {
                Method::POST => Ok(Box::pin(pipeline::answer(self.0.load_full(), api, request))),
                Method::OPTIONS => Ok(ready(allowed(StatusCode::NO_CONTENT, "POST, OPTIONS"))),
                _ => Ok(ready(allowed(StatusCode::METHOD_NOT_ALLOWED, "POST, OPTIONS"))),
            };
        }
        if path == "/v1/models" || path.starts_with("/v1/models/") {
            return match *request.method() {
                Method::GET | Method::HEAD => {
                    let name = path.strip_prefix("/v1/models/").map(str::to_owned);
                    Ok(ready(models::list(
                        &self.0.load(),
                        request.headers(),
                        name.as_deref(),
                        request.uri().query(),
                    )))
                }
                Method::OPTIONS => Ok(ready(allowed(StatusCode::NO_CONTENT, "GET, HEAD, OPTIONS"))),
                _ => Ok(ready(allowed(StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD, OPTIONS"))),
            };
        }
        // Clients ask the root whether anybody is there.
        if path == "/" && matches!(*request.method(), Method::GET | Method::HEAD) {
            return Ok(ready(Response::new(OutBody::Whole(Some(Bytes::from_static(b"Sanctum Proxy\n"))))));
        }
        Err(request)
    }
}

fn ready(response: Response<OutBody>) -> Answer {
    Box::pin(std::future::ready(response))
}

fn allowed(status: StatusCode, methods: &'static str) -> Response<OutBody> {
    let mut response = Response::new(OutBody::Whole(None));
    *response.status_mut() = status;
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        let body = br#"{"type":"error","error":{"type":"invalid_request_error","message":"this path does not take that method","param":null,"code":"method_not_allowed"}}"#;
        *response.body_mut() = OutBody::Whole(Some(Bytes::from_static(body)));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    response
}
