//! The surface: what agents, other services, people and tools may ask.

mod asks;

use std::net::SocketAddr;
use std::sync::Arc;

use sanctum_api::Moment;
use sanctum_api::memory::{
    Audit, Change, Exchange, Exported, Found, Graph, Head, Imported, Ingested, Links, Note, Page, Rebuilt,
    Recall, Report, Search, State, Write, Written,
};
use sanctum_api::proxy;
use sanctum_http::axum::Router;
use sanctum_http::{Op, Routes};
use sanctum_kernel::{Failure, Right, Service};

use crate::Memory;
use crate::exchange::http;
use crate::guests::Keys;
use crate::library::Library;

/// An exchange may hold a whole conversation.
const LARGE: usize = 8 * 1024 * 1024;

/// `at` is where the service listens.
pub(crate) fn routes(library: &Library, at: SocketAddr) -> Result<Router, Failure> {
    let shared = library.shared();
    let routes = Routes::new(const { &Memory::SPEC }, shared);
    let routes = match sanctum_http::connect(&shared.peers, "proxy") {
        Ok(proxy) => routes.guests(Arc::new(Keys::new(proxy::Client::new(proxy), shared.clock.clone()))),
        // A house without a proxy has no keys.
        Err(_) => routes,
    };
    let routes = crate::mcp::mount(routes, library.clone(), at)?;
    let routes = routes
        .on(Op::post("/search", "Finds passages of notes: each with why it is there").right(Right::Read).takes::<Search>().returns::<Found>(), asks::search)
        .on(Op::post("/recall", "Finds what belongs into a prompt: whole passages of at most 2,048 tokens together").right(Right::Read).takes::<Recall>().returns::<Found>(), asks::recall)
        .on(Op::post("/ingest", "Keeps an exchange that a model has answered; it is read into notes afterwards. The same `idempotency-key` is kept once").body_limit(LARGE).takes::<Exchange>().returns::<Ingested>(), asks::ingest)
        .on(Op::post("/write", "Keeps a note, or says why not: 409 if it is not at the version that is to be replaced").body_limit(LARGE).takes::<Write>().returns::<Written>(), asks::write)
        .on(Op::get("/read/{id}", "A note, by its id or its path").queries(asks::WHO).returns::<Note>(), asks::read)
        .on(Op::get("/list", "Notes, the newest change first").queries(asks::LIST).returns::<Page>(), asks::list)
        .on(Op::get("/links/{id}", "Where the links of a note lead, and which notes link to it").returns::<Links>(), asks::links)
        .on(Op::delete("/delete/{id}", "Moves a note to the archive; the history keeps it").queries(asks::WHO).returns::<Head>(), asks::delete)
        .on(Op::get("/history/{id}", "The changes of a note, the newest first").slow().returns::<Vec<Change>>(), asks::history)
        .on(Op::post("/undo/{id}", "Takes the last change of a note back, or a whole run of consolidation").slow().queries(asks::WHO).returns::<Vec<Change>>(), asks::undo)
        .on(Op::post("/consolidate", "One pass over the notes now: dry unless `apply=true`").slow().queries(asks::APPLY).returns::<Report>(), asks::consolidate)
        .on(Op::get("/reports", "What the last passes did, the newest first").returns::<Vec<Report>>(), asks::reports)
        .on(Op::post("/import", "Takes in what others remember: the body is the file, its format told by its beginning").slow().queries(http::IMPORT).returns::<Imported>(), http::import)
        .on(Op::get("/export", "A page of notes as lines of JSON, or as others read them").queries(http::EXPORT).returns::<Exported>(), http::export)
        .on(Op::get("/audit", "What is wrong with what is remembered").slow().returns::<Audit>(), asks::audit)
        .on(Op::get("/state", "How memory is, in numbers").returns::<State>(), asks::state)
        .on(Op::get("/graph", "Notes and links, for drawing").queries(asks::MOST).returns::<Graph>(), asks::graph)
        .on(Op::post("/rebuild", "Makes the index again from the files; its progress comes with the events").slow().returns::<Rebuilt>(), asks::rebuild)
        .on(Op::get("/events", "Notes as they change, and the progress of long work").stream(), asks::events)
        .on(Op::get("/trace/{id}", "What this service did in a story").returns::<Vec<Moment>>(), asks::trace);
    Ok(routes.finish(library.clone()))
}
