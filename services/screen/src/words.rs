//! What people read: messages to the family in the house's language, and acts in words.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sanctum_api::firewall::Verdict;
use sanctum_api::screen::Violation;
use sanctum_kernel::house::Language;

use crate::doubt::Why;
use crate::engine::{Act, Deed, Target};

/// Title and message.
pub(crate) type Text = (String, String);

/// How the engine names its most frequent rules, and what a French family reads: heads of its words, which carry names
/// and hours behind them. A rule that is not here is told as the engine says it.
const RULES: &[(&str, &str)] = &[
    ("weekday curfew ", "couvre-feu de semaine "),
    ("weekend curfew ", "couvre-feu du week-end "),
    ("holiday curfew ", "couvre-feu des jours libres "),
    ("homework, by ", "devoirs, par "),
    ("override: curfew now, by ", "couvre-feu immédiat, par "),
    ("a parent refused this guest", "un parent a refusé cet invité"),
    ("the guest's pass is over", "le passe de l’invité est terminé"),
    ("not approved", "pas encore approuvé"),
    ("waits for approval", "attend une approbation"),
];

/// The language and the zone that times are told in.
#[derive(Debug, Clone)]
pub(crate) struct Words {
    pub(crate) language: Language,
    pub(crate) tz: TimeZone,
}

/// Such as `+30 min for ava, by mum: sleep-over`.
pub(crate) fn act(act: &Act) -> String {
    let what = match act.deed {
        Deed::Extend { minutes } => format!("+{minutes} min"),
        Deed::Credit { minutes } => format!("{minutes} min of credits redeemed"),
        Deed::Curfew => "curfew now".to_owned(),
        Deed::AllClear => "all clear".to_owned(),
        Deed::Homework => "homework".to_owned(),
    };
    let whom = match &act.target {
        Target::Everyone => "everyone",
        Target::Person(name) | Target::Device(name) => name,
    };
    let reason = if act.reason.is_empty() { String::new() } else { format!(": {}", act.reason) };
    format!("{what} for {whom}, by {}{reason}", act.author)
}

impl Words {
    fn pick(&self, en: String, fr: String) -> String {
        match self.language {
            Language::En => en,
            Language::Fr => fr,
        }
    }

    /// A rule by the name that the family's language has for it.
    fn rule(&self, rule: &str) -> String {
        let french = RULES.iter().find_map(|(en, fr)| Some(format!("{fr}{}", rule.strip_prefix(en)?)));
        let french = french.map(|french| french.replace(", moved to ", ", déplacé à "));
        self.pick(rule.to_owned(), french.unwrap_or_else(|| rule.to_owned()))
    }

    /// The time of day, as the clock on the wall shows it.
    pub(crate) fn wall(&self, at: Timestamp) -> String {
        at.to_zoned(self.tz.clone()).strftime("%H:%M").to_string()
    }

    pub(crate) fn violation(&self, violation: &Violation) -> Text {
        let (name, at) = (&violation.name, self.wall(violation.at));
        let whose = violation.owner.as_ref().map(|owner| format!(" ({owner})")).unwrap_or_default();
        let (en, fr) = match violation.verdict {
            Verdict::Proven => ("It is blocked, and nothing got out.", "Il est bloqué, rien n’est sorti."),
            Verdict::Applied => ("It is blocked.", "Il est bloqué."),
            Verdict::Leaking => (
                "It should be blocked, but packets pass: look at the router.",
                "Il devrait être bloqué, mais des paquets passent : vérifiez le routeur.",
            ),
            Verdict::Missing => (
                "It should be blocked and is not: look at the router.",
                "Il devrait être bloqué et ne l’est pas : vérifiez le routeur.",
            ),
            Verdict::Unknown => {
                ("Whether it is blocked could not be checked.", "Impossible de vérifier le blocage.")
            }
        };
        let rule = self.rule(&violation.rule);
        let title = self.pick(
            format!("{name} tried to get online at {at}"),
            format!("{name} a tenté de se connecter à {at}"),
        );
        let message = self.pick(
            format!("{name}{whose} came onto the network at {at}. Rule: {rule}. {en}"),
            format!("{name}{whose} est arrivé sur le réseau à {at}. Règle : {rule}. {fr}"),
        );
        (title, message)
    }

    pub(crate) fn warning(&self, person: &str, devices: &str, minutes: i64, bedtime: Timestamp) -> Text {
        let at = self.wall(bedtime);
        let title = self.pick(
            format!("{person}: {minutes} minutes left"),
            format!("{person} : encore {minutes} minutes"),
        );
        let message = self.pick(
            format!("{devices}: everything is off at {at}."),
            format!("{devices} : tout s’arrête à {at}."),
        );
        (title, message)
    }

    pub(crate) fn request(&self, person: &str, minutes: u32, reason: &str) -> Text {
        let title = self.pick(
            format!("{person} asks for {minutes} more minutes"),
            format!("{person} demande {minutes} minutes de plus"),
        );
        let none = self.pick("No reason was given.".to_owned(), "Sans raison donnée.".to_owned());
        (title, if reason.is_empty() { none } else { format!("“{reason}”") })
    }

    pub(crate) fn answer(&self, person: &str, granted: Option<u32>, by: &str, reason: &str) -> Text {
        let (en, fr) = match granted {
            Some(minutes) => (
                format!("{person} has {minutes} more minutes"),
                format!("{person} a {minutes} minutes de plus"),
            ),
            None => (format!("{person}: not tonight"), format!("{person} : pas ce soir")),
        };
        let because = if reason.is_empty() { String::new() } else { format!(" “{reason}”") };
        (
            self.pick(en, fr),
            self.pick(format!("{by} has answered.{because}"), format!("{by} a répondu.{because}")),
        )
    }

    pub(crate) fn guest(&self, name: &str) -> Text {
        let title = self.pick(format!("A new device: {name}"), format!("Un nouvel appareil : {name}"));
        let message = self.pick(
            "The rules of the house apply to it. Approve it as a guest, or say what it is.".to_owned(),
            "Les règles de la maison s’y appliquent. Approuvez-le comme invité, ou dites ce que c’est."
                .to_owned(),
        );
        (title, message)
    }

    /// A stranger that shows what a known device shows; its address may be made up.
    pub(crate) fn resembles(&self, known: &str, mac: &str) -> String {
        self.pick(
            format!("A new device that looks like {known} ({mac})"),
            format!("Un nouvel appareil qui ressemble à {known} ({mac})"),
        )
    }

    pub(crate) fn clock(&self, why: Why) -> Text {
        let why = why.said(self.language);
        let title =
            self.pick("The clock cannot be right".to_owned(), "L’horloge ne peut pas être juste".to_owned());
        let message = self.pick(
            format!("Screen time stays as it was: {why}."),
            format!("Le temps d’écran reste tel quel : {why}."),
        );
        (title, message)
    }
}
