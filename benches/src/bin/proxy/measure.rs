//! One gateway, beside the same requests sent straight to the provider, block by block in turn.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use sanctum_kernel::Failure;
use serde_json::{Map, Value, json};

use crate::account::{cpu_us, pss_mb};
use crate::gateways::Measured;
use crate::load::{Seen, Shot, Until, block, quantile};
use crate::upstream::Upstream;

/// Events of a paced stream are this far apart.
const PACE: Duration = Duration::from_millis(5);

/// How much is measured.
#[derive(Debug, Clone)]
pub(crate) struct Amount {
    /// Blocks of each kind; the best one counts, because a busy neighbour only ever takes away.
    pub(crate) blocks: usize,
    pub(crate) seconds: Duration,
    /// Requests before memory is read for the last time.
    pub(crate) requests: usize,
    /// The rows that are wanted; all of them when there are none.
    pub(crate) rows: Vec<String>,
}

impl Amount {
    fn wants(&self, row: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|wanted| wanted == row)
    }
}

/// A gateway and its way past it.
pub(crate) struct Bench<'a> {
    pub(crate) on: &'a mut Measured,
    pub(crate) upstream: SocketAddr,
    pub(crate) knobs: &'a Upstream,
    pub(crate) amount: Amount,
}

fn body(model: &str, api: &str, stream: bool, prompt: &str) -> String {
    let mut body = json!({ "model": model, "messages": [{ "role": "user", "content": prompt }] });
    if let Some(fields) = body.as_object_mut() {
        if api == "/messages" {
            fields.insert("max_tokens".to_owned(), json!(200));
        }
        if stream {
            fields.insert("stream".to_owned(), json!(true));
        }
        if stream && api != "/messages" {
            fields.insert("stream_options".to_owned(), json!({ "include_usage": true }));
        }
    }
    body.to_string()
}

/// A prompt as people write them, of about 400 bytes.
const PROMPT: &str = "We are planning a weekend with the whole family, two grandparents and three children between four and \
    eleven. It may rain on Saturday. Please suggest what we could do within an hour of the house, what to cook on both \
    evenings without too much work, and which things we should buy on Friday. Keep it short and friendly, and put the most \
    important suggestion first, so that we can decide over breakfast.";

/// Direct and through the gateway.
struct Two {
    direct: Vec<Seen>,
    through: Vec<Seen>,
    /// Microseconds of processor time of the gateway for each answer, block by block.
    cpu: Vec<f64>,
}

impl Bench<'_> {
    fn shot(&self, api: &str, stream: bool, prompt: &str) -> (Shot, Shot) {
        let direct = Shot::new(self.upstream, &format!("/v1{api}"), &[], &body("mock", api, stream, prompt));
        let on = &self.on;
        let through =
            Shot::new(on.gateway.addr, &on.path(api), &on.headers, &body(&on.model, api, stream, prompt));
        (direct, through)
    }

    async fn two(
        &self,
        (direct, through): (Shot, Shot),
        connections: usize,
        until: Until,
    ) -> Result<Two, Failure> {
        let mut two = Two { direct: Vec::new(), through: Vec::new(), cpu: Vec::new() };
        for _ in 0..self.amount.blocks {
            two.direct.push(block(&direct, connections, until).await);
            let before = cpu_us(self.on.gateway.pid());
            let seen = block(&through, connections, until).await;
            let spent = cpu_us(self.on.gateway.pid()) - before;
            #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
            two.cpu.push(spent as f64 / seen.total.len().max(1) as f64);
            if seen.total.is_empty() {
                return Err(format!("{} answers nothing: {}", self.on.name, seen.why).into());
            }
            two.through.push(seen);
        }
        Ok(two)
    }

    /// All rows of this gateway.
    pub(crate) async fn rows(&mut self) -> Result<Map<String, Value>, Failure> {
        let mut rows = Map::new();
        let slow = self.on.name == "litellm";
        let idle = pss_mb(self.on.gateway.pid());
        rows.insert("idle_mb".to_owned(), json!(idle));
        let (_, warm) = self.shot("/chat/completions", false, PROMPT);
        block(&warm, 8, Until::Count(if slow { 10 } else { 200 })).await;
        let count = Until::Count(if slow { 100 } else { 2000 });
        if self.amount.wants("one") {
            let one = self.two(self.shot("/chat/completions", false, PROMPT), 1, count).await?;
            one.added("one", |seen| &seen.total, &mut rows);
        }
        let timed = Until::For(self.amount.seconds);
        if self.amount.wants("many") {
            let many = self.two(self.shot("/chat/completions", false, PROMPT), 64, timed).await?;
            many.rates("many", &mut rows);
        }
        if self.amount.wants("first") {
            self.firsts(slow, &mut rows).await?;
        }
        if self.amount.wants("streams") {
            let streams = self.two(self.shot("/chat/completions", true, PROMPT), 64, timed).await?;
            streams.rates("streams", &mut rows);
        }
        if self.on.translates && self.amount.wants("translated") {
            let (_, through) = self.shot("/messages", true, PROMPT);
            let (direct, _) = self.shot("/chat/completions", true, PROMPT);
            let translated = self.two((direct, through), 64, timed).await?;
            translated.rates("translated", &mut rows);
        }
        if self.amount.wants("large") {
            let long = "word ".repeat(40_000);
            let large = Until::Count(if slow { 20 } else { 200 });
            let large = self.two(self.shot("/chat/completions", false, &long), 1, large).await?;
            large.added("large", |seen| &seen.total, &mut rows);
        }
        if self.amount.wants("memory") {
            let left = if slow { 64 } else { self.amount.requests / 64 };
            let after = block(&warm, 64, Until::Count(left)).await;
            rows.insert("requests".to_owned(), json!(after.total.len()));
            rows.insert("after_mb".to_owned(), json!(pss_mb(self.on.gateway.pid())));
            rows.insert("bad".to_owned(), json!(after.bad));
        }
        if self.amount.wants("start") {
            rows.insert("start_ms".to_owned(), json!(self.starts(if slow { 1 } else { 5 }).await));
        }
        Ok(rows)
    }

    /// The first bytes of streams: one alone, and many that are paced.
    async fn firsts(&mut self, slow: bool, rows: &mut Map<String, Value>) -> Result<(), Failure> {
        let few = Until::Count(if slow { 30 } else { 300 });
        let first = self.two(self.shot("/chat/completions", true, PROMPT), 1, few).await?;
        first.added("first_one", |seen| &seen.first, rows);
        self.knobs.pace.store(u64::try_from(PACE.as_micros())?, Ordering::Relaxed);
        let paced = Until::Count(if slow { 1 } else { 6 });
        let first = self.two(self.shot("/chat/completions", true, PROMPT), 64, paced).await;
        self.knobs.pace.store(0, Ordering::Relaxed);
        first?.added("first_many", |seen| &seen.first, rows);
        Ok(())
    }

    /// From the start of the process to the first whole answer, over what it has kept; the best of several.
    async fn starts(&mut self, times: usize) -> f64 {
        let mut best = f64::INFINITY;
        for _ in 0..times {
            self.on.gateway.restart();
            let (_, shot) = self.shot("/chat/completions", false, PROMPT);
            let limit = Instant::now() + Duration::from_mins(2);
            while block(&shot, 1, Until::Count(1)).await.bad > 0 && Instant::now() < limit {
                tokio::time::sleep(Duration::from_micros(500)).await;
            }
            best = best.min(self.on.gateway.since.elapsed().as_secs_f64() * 1000.0);
        }
        best
    }
}

fn least(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(f64::INFINITY, f64::min)
}

fn most(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, f64::max)
}

impl Two {
    /// Milliseconds added at p50 and p99, best block against best block.
    fn added(&self, name: &str, times: fn(&Seen) -> &Vec<u32>, rows: &mut Map<String, Value>) {
        for (word, share) in [("p50", 0.5), ("p99", 0.99)] {
            let best = |all: &[Seen]| least(all.iter().map(|seen| quantile(times(seen), share)));
            let (direct, through) = (best(&self.direct), best(&self.through));
            rows.insert(format!("{name}_{word}_direct_ms"), json!(direct));
            rows.insert(format!("{name}_{word}_ms"), json!(through));
            rows.insert(format!("{name}_{word}_added_ms"), json!(through - direct));
        }
        self.failures(name, rows);
    }

    fn rates(&self, name: &str, rows: &mut Map<String, Value>) {
        let best = |all: &[Seen]| most(all.iter().map(Seen::per_second));
        let (direct, through) = (best(&self.direct), best(&self.through));
        rows.insert(format!("{name}_per_s"), json!(through));
        rows.insert(format!("{name}_direct_per_s"), json!(direct));
        rows.insert(format!("{name}_share"), json!(through / direct));
        rows.insert(format!("{name}_cpu_us"), json!(least(self.cpu.iter().copied())));
        for (word, share) in [("p50", 0.5), ("p99", 0.99)] {
            let best = least(self.through.iter().map(|seen| quantile(&seen.first, share)));
            rows.insert(format!("{name}_first_{word}_ms"), json!(best));
        }
        self.failures(name, rows);
    }

    fn failures(&self, name: &str, rows: &mut Map<String, Value>) {
        let bad: usize = self.through.iter().chain(&self.direct).map(|seen| seen.bad).sum();
        if bad > 0 {
            let why = self.through.iter().map(|seen| seen.why.as_str()).find(|why| !why.is_empty());
            rows.insert(format!("{name}_bad"), json!({ "count": bad, "why": why }));
        }
    }
}
