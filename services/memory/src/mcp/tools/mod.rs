//! The eight tools: what each is called, takes, gives and may do, and what it asks of the library.

mod args;
mod schema;

use std::sync::LazyLock;

use sanctum_api::memory::{
    Found, Head, Links, List, Note, Outcome, Page, Report, Search, State, Write, Written,
};
use sanctum_kernel::Right;
use sanctum_kernel::well::Status;
use sanctum_mcp::rmcp::ErrorData;
use sanctum_mcp::rmcp::model::{CallToolRequestParams, CallToolResponse, Tool, ToolAnnotations};
use sanctum_mcp::rmcp::service::{RequestContext, RoleServer};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub(super) use self::args::{Consolidate, Forget};
use self::args::{Listing, Nothing, Remember, Seek, Which};
use super::{Asker, Inner, forget, pass, says};

/// What a tool may do to what is remembered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    Look,
    /// It adds or changes; what was there stays in the history.
    Add,
    /// It puts things away.
    Remove,
}

static ALL: LazyLock<Vec<Tool>> = LazyLock::new(|| {
    vec![
        tool::<Seek, Found>(
            "memory_search",
            "Search the memory",
            "Find notes by words and by meaning. Results are passages, the best first, each with its note's id, why it ranked, \
             and since when and until when it holds. Without `as_of` only what holds now is found. `degraded` says when less \
             than everything could be searched.",
            Does::Look,
        ),
        tool::<Which, Note>(
            "memory_read",
            "Read a note",
            "The whole note with everything known of it. Its `version` is needed to change or forget it.",
            Does::Look,
        ),
        tool::<Remember, Written>(
            "memory_write",
            "Write a note",
            "Keep something for later conversations, or change a note by its `id` and `version`. Duplicates, secrets, and what \
             was just recalled to this session are not kept; `outcome` and `reason` say so. A note with a `key` takes the place \
             of the one that had it.",
            Does::Add,
        ),
        tool::<Forget, Head>(
            "memory_delete",
            "Forget a note",
            "Put a note away: it is not found any more. The user is asked first. It can be brought back with `sanctum memory \
             undo`.",
            Does::Remove,
        ),
        tool::<Listing, Page>(
            "memory_list",
            "List notes",
            "Notes by folder, type, tag or agent, the newest change first, a page at a time: `next` is the `cursor` of the next \
             page.",
            Does::Look,
        ),
        tool::<Which, Links>(
            "memory_links",
            "Links of a note",
            "Where the wiki links of a note lead (`out`), and which notes link to it (`back`).",
            Does::Look,
        ),
        tool::<Consolidate, Report>(
            "memory_consolidate",
            "Put the memory in order",
            "Merge duplicates, supersede, promote, expire, archive. Without `apply` it only reports what it would do. It may take \
             a while: it reports progress, can be cancelled, and runs as a task for clients that have tasks.",
            Does::Remove,
        ),
        tool::<Nothing, Health>(
            "memory_health",
            "How the memory is",
            "How many notes there are, what is degraded, and what is wrong with which file.",
            Does::Look,
        ),
    ]
});

fn tool<In: JsonSchema, Out: JsonSchema>(
    name: &'static str,
    title: &str,
    about: &'static str,
    does: Does,
) -> Tool {
    let annotations = ToolAnnotations::with_title(title)
        .read_only(does == Does::Look)
        .destructive(does == Does::Remove)
        .idempotent(does != Does::Add)
        .open_world(false);
    Tool::new(name, about, schema::input::<In>())
        .with_title(title)
        .with_raw_output_schema(schema::output::<Out>())
        .with_annotations(annotations)
}

/// What `memory_health` gives.
#[derive(Debug, Serialize, JsonSchema)]
struct Health {
    /// Whether the memory does its work: the worst of its parts.
    status: Status,
    #[serde(flatten)]
    state: State,
}

/// Every tool, always in this order.
pub(super) fn all() -> Vec<Tool> {
    ALL.clone()
}

pub(super) async fn call(
    inner: &Inner,
    request: CallToolRequestParams,
    context: RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    let Some(tool) = ALL.iter().find(|tool| tool.name == request.name) else {
        return Err(ErrorData::invalid_params(format!("there is no tool `{}`", request.name), None));
    };
    let asker = inner.asker(&context);
    let looks = tool.annotations.as_ref().and_then(|may| may.read_only_hint).unwrap_or_default();
    if !looks && asker.right < Right::Act {
        let words =
            format!("`{}` may look here, but not change anything: use a token that may act", asker.who.name);
        return Ok(says::wrong(words).into());
    }
    let stopped = context.ct.clone();
    match request.name.as_ref() {
        // What changes something is not left half done because nobody waits for it any more.
        "memory_write" => write(inner, given(&request), &asker).await,
        "memory_delete" => forget::call(inner, given(&request), request, &asker, &context).await,
        "memory_consolidate" => pass::call(inner, given(&request), context).await,
        _ => tokio::select! {
            answer = look(inner, &request, &asker) => Ok(answer),
            () = stopped.cancelled() => Err(ErrorData::internal_error("it was cancelled", None)),
        },
    }
}

/// The arguments of a tool, or what is wrong with them in words for a model.
fn given<T: DeserializeOwned>(request: &CallToolRequestParams) -> Result<T, String> {
    let arguments = request.arguments.clone().unwrap_or_default();
    serde_json::from_value(Value::Object(arguments)).map_err(|error| {
        format!("the arguments do not fit: {error}. `tools/list` has the schema of `{}`", request.name)
    })
}

async fn look(inner: &Inner, request: &CallToolRequestParams, asker: &Asker) -> CallToolResponse {
    let (library, who) = (&inner.library, &asker.who);
    let outcome: Result<CallToolResponse, String> = async {
        Ok(match request.name.as_ref() {
            "memory_search" => {
                let search = Search::from(given::<Seek>(request)?);
                let search = Search { agent: who.agent.clone(), egress: !who.private, ..search };
                says::answered(&library.search(&search, who).await)
            }
            "memory_read" => says::answered(&library.read(&given::<Which>(request)?.id, who).await),
            "memory_links" => says::answered(&library.links(&given::<Which>(request)?.id, who).await),
            "memory_list" => {
                says::answered(&library.list(&List::from(given::<Listing>(request)?), who).await)
            }
            _ => {
                given::<Nothing>(request)?;
                let status = inner.shared.well.look().0;
                says::answered(&library.state().await.map(|state| Health { status, state }))
            }
        })
    }
    .await;
    outcome.unwrap_or_else(|words| says::wrong(words).into())
}

async fn write(
    inner: &Inner,
    given: Result<Remember, String>,
    asker: &Asker,
) -> Result<CallToolResponse, ErrorData> {
    let write = match given {
        Ok(given) => Write { agent: asker.who.agent.clone(), ..Write::from(given) },
        Err(words) => return Ok(says::wrong(words).into()),
    };
    let written = match inner.library.write(write, &asker.who).await {
        Ok(written) => written,
        Err(error) => return Ok(says::refused(&error).into()),
    };
    let mut answer = says::done(&written);
    // Saying the same again is no fault; these are, and the model should learn of them.
    if matches!(written.outcome, Outcome::Secret | Outcome::BootNoise | Outcome::Quota) {
        answer.is_error = Some(true);
    }
    Ok(answer.into())
}
