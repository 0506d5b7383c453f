//! Rules of the section that no type can express.

use std::collections::BTreeMap;

use sanctum_http::Origin;
use sanctum_http::hyper::Uri;
use sanctum_kernel::service::Complaint;

use super::{Config, Locality, Provider, Ready};
use crate::glob::Glob;
use crate::table::{AUTO, Table};

impl Config {
    /// The providers that are there: the ready-made ones that are taken, and the sections.
    pub(crate) fn providers(&self) -> BTreeMap<String, Provider> {
        let mut all: BTreeMap<String, Provider> = self.provider.clone();
        for (name, provider) in &mut all {
            provider.like = provider.like.or_else(|| Ready::named(name).map(|sheet| sheet.ready));
        }
        for sheet in self.take.iter().filter_map(|ready| ready.sheet()) {
            all.entry(sheet.name.to_owned())
                .or_insert_with(|| Provider { like: Some(sheet.ready), ..Provider::default() });
        }
        all
    }

    pub(crate) fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        for (name, provider) in &self.providers() {
            complaints.extend(provider.complaints(name));
        }
        self.models(&mut complaints);
        self.names(&mut complaints);
        if let Some(url) = &self.recall.url {
            let host =
                url.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default();
            // It is told what is private as well.
            if host != "localhost" && Origin::is_house(&host) != Some(true) {
                complaints.push(
                    Complaint::new(
                        &["recall", "url"],
                        "the memory must be in this house: it is told what is private",
                    )
                    .hint("an address such as `http://127.0.0.1:42069`"),
                );
            }
        }
        if self.attempts == 0 {
            complaints
                .push(Complaint::new(&["attempts"], "nobody would ever be asked").hint("write `1` or more"));
        }
        if self.breaker.failures == 0 {
            complaints.push(
                Complaint::new(&["breaker", "failures"], "every provider would be left alone at once")
                    .hint("write `1` or more"),
            );
        }
        complaints
    }

    fn models(&self, complaints: &mut Vec<Complaint>) {
        let providers = self.providers();
        let known = || providers.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        for (id, model) in &self.model {
            if model.provider.is_empty() {
                let hint = format!("the providers are {}", known());
                complaints.push(Complaint::new(&["model", id], "a model needs a `provider`").hint(hint));
            } else if !providers.contains_key(&model.provider) {
                let message = format!("there is no provider `{}`", model.provider);
                let hint = format!("the providers are {}", known());
                complaints.push(Complaint::new(&["model", id, "provider"], message).hint(hint));
            }
            if let Some(price) = &model.price {
                let all = [
                    Some(price.input),
                    Some(price.output),
                    price.cached,
                    price.cache_write,
                    price.cache_write_hour,
                ];
                if all.into_iter().flatten().any(|price| !(0.0..1e6).contains(&price)) {
                    let path = ["model", id, "price"];
                    complaints.push(
                        Complaint::new(&path, "a price is not negative and less than a million dollars")
                            .hint(
                                "US dollars for a million tokens, such as `{ input = 3.0, output = 15.0 }`",
                            ),
                    );
                }
            }
        }
    }

    fn names(&self, complaints: &mut Vec<Complaint>) {
        let table = Table::new(self);
        let unknown = |name: &str| name != AUTO && table.configured(name).is_none();
        let complain = |path: &[&str], name: &str| {
            Complaint::new(path, format!("nothing is called `{name}`"))
                .hint("name a `[proxy.model.…]`, an alias, or `provider/model`")
        };
        for (alias, to) in &self.alias {
            if !Glob::is_plain(alias) {
                complaints.push(Complaint::new(&["alias", alias], "an alias has no `*`"));
            }
            if unknown(to) {
                complaints.push(complain(&["alias", alias], to));
            }
        }
        for (at, name) in self.fallback.iter().enumerate().filter(|(_, name)| unknown(name)) {
            complaints.push(complain(&["fallback", &at.to_string()], name));
        }
        for (id, model) in &self.model {
            for (at, name) in model.fallback.iter().enumerate().filter(|(_, name)| unknown(name)) {
                complaints.push(complain(&["model", id, "fallback", &at.to_string()], name));
            }
        }
        for (id, agent) in &self.agent {
            if let Some(name) = agent.model.as_ref().filter(|name| unknown(name)) {
                complaints.push(complain(&["agent", id, "model"], name));
            }
            for (at, name) in agent.fallback.iter().flatten().enumerate().filter(|(_, name)| unknown(name)) {
                complaints.push(complain(&["agent", id, "fallback", &at.to_string()], name));
            }
        }
        let providers = self.providers();
        for (id, route) in &self.own_credentials {
            if !providers.contains_key(&route.provider) {
                let message = format!("there is no provider `{}`", route.provider);
                complaints.push(Complaint::new(&["own-credentials", id, "provider"], message));
            }
            if route.models.is_empty() {
                let path = ["own-credentials", id, "models"];
                complaints.push(
                    Complaint::new(&path, "it is for no model").hint("write a glob, such as `claude-*`"),
                );
            }
        }
    }
}

impl Provider {
    /// Its root and path, from its own section or the ready-made one.
    pub(crate) fn url(&self) -> Option<&str> {
        self.base_url.as_deref().or_else(|| self.like.and_then(Ready::sheet).map(|sheet| sheet.base_url))
    }

    pub(crate) fn is_local(&self) -> bool {
        self.locality.or_else(|| self.like.and_then(Ready::sheet).map(|sheet| sheet.locality))
            == Some(Locality::Local)
    }

    fn complaints(&self, name: &str) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        let path = ["provider", name];
        if self.like.is_none() && self.kind.is_none() {
            complaints.push(
                Complaint::new(&path, "it is no ready-made provider, so it needs a `kind`")
                    .hint("`openai`, `anthropic` or `gemini`; or `like = \"openai\"`"),
            );
        }
        let Some(url) = self.url() else {
            complaints.push(Complaint::new(&path, "it is no ready-made provider, so it needs a `base-url`"));
            return complaints;
        };
        let at = ["provider", name, if self.base_url.is_some() { "base-url" } else { "locality" }];
        let uri = url.parse::<Uri>().ok().filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
        let Some(host) = uri.as_ref().and_then(Uri::host) else {
            let message = format!("`{url}` is not an http:// or https:// URL");
            complaints.push(Complaint::new(&at, message));
            return complaints;
        };
        // Of a name only its look-up tells; that is done for every connection.
        if self.is_local() && Origin::is_house(host) == Some(false) {
            complaints.push(
                Complaint::new(
                    &at,
                    format!("`{host}` is not an address of this house, so it cannot be `local`"),
                )
                .hint("write `locality = \"cloud\"`: what is private never goes there then"),
            );
        }
        if self.like == Some(Ready::Bridge) && self.locality == Some(Locality::Local) {
            complaints.push(
                Complaint::new(
                    &["provider", name, "locality"],
                    "a bridge passes on what it is told to a cloud",
                )
                .hint("leave `locality` out"),
            );
        }
        if self.client_certificate.is_some() != self.client_key.is_some() {
            complaints
                .push(Complaint::new(&path, "a client certificate needs its key, and a key its certificate"));
        }
        complaints
    }
}
