//! Each rule with a house that breaks it, and the law of circles.

use proptest::prelude::*;

use super::*;

fn item(name: &str) -> Item {
    Item {
        name: name.to_owned(),
        house_name: name.to_owned(),
        summary: String::new(),
        ours: false,
        plane: Plane::Host,
        kind: Kind::Continuous,
        tier: Tier::Ordinary,
        address: None,
        port: None,
        does: None,
        requires: Vec::new(),
        wants: Vec::new(),
        after: Vec::new(),
        supervised: true,
        check: BTreeMap::new(),
        heal: Vec::new(),
    }
}

fn needs(name: &str, requires: &[&str]) -> Item {
    Item { requires: requires.iter().map(|&name| name.to_owned()).collect(), ..item(name) }
}

fn said(items: Vec<Item>) -> Vec<String> {
    let faults = lint(&Inventory(items), Some(&["full-log-disk"]));
    faults
        .iter()
        .map(|fault| {
            format!(
                "{} {}: {} | {}",
                fault.rule,
                fault.path.join("."),
                fault.message,
                fault.hint.as_deref().unwrap_or("")
            )
        })
        .collect()
}

#[test]
fn a_sound_house_has_no_faults() {
    assert_eq!(
        said(vec![
            item("db"),
            needs("web", &["db"]),
            Item { port: Some(80), ..item("a") },
            Item { port: Some(81), ..item("b") }
        ]),
        Vec::<String>::new()
    );
}

#[test]
fn a_circle_is_named_with_its_path_and_its_place() {
    let said = said(vec![
        needs("c", &["a"]),
        needs("a", &["d", "b"]),
        needs("b", &["c"]),
        item("d"),
        needs("e", &["a"]),
    ]);
    assert_eq!(
        said,
        [
            "cycle service.a.requires.1: these wait for each other for ever: a → b → c → a | take `b` out of `requires`, or break the circle elsewhere"
        ]
    );
    let alone = super::lint(&Inventory(vec![needs("a", &["a"])]), None);
    assert_eq!((alone.len(), alone.first().unwrap().rule), (1, "cycle"));
}

#[test]
fn unknown_names_say_which_was_meant() {
    let said = said(vec![
        item("postgres"),
        needs("web", &["postgers"]),
        Item { after: vec!["nothing-like-it".into()], ..item("b") },
    ]);
    assert!(
        said.iter().any(|line| line
            == "unknown service.web.requires.0: no service is called `postgers` | did you mean `postgres`?"),
        "{said:?}"
    );
    assert!(
        said.iter().any(|line| line.starts_with("unknown service.b.after.0") && line.contains("`web`")),
        "{said:?}"
    );
}

#[test]
fn one_port_has_one_service_on_each_side() {
    let ours = Item { ours: true, port: Some(2177), ..item("notify") };
    let guest = |name: &str| Item {
        plane: Plane::Guest,
        supervised: false,
        check: one_check(),
        port: Some(2177),
        ..item(name)
    };
    let outside = Item {
        plane: Plane::Outside,
        supervised: false,
        check: one_check(),
        port: Some(2177),
        ..item("cloud")
    };
    let said = said(vec![ours, Item { port: Some(2177), ..item("thief") }, guest("g"), guest("h"), outside]);
    assert_eq!(
        said.iter().map(|line| line.split(':').next().unwrap()).collect::<Vec<_>>(),
        ["port service.h.port", "port service.thief.port", "port-across service.g.port"]
    );
    assert!(said[1].contains("`notify` and `thief` would both listen on port 2177"), "{said:?}");
}

fn one_check() -> BTreeMap<String, crate::inventory::check::Check> {
    [("x".to_owned(), crate::inventory::check::Check::default())].into()
}

#[test]
fn a_call_across_the_bridge_names_the_neighbour_that_does_the_job() {
    let far = Item {
        plane: Plane::Guest,
        supervised: false,
        check: one_check(),
        does: Some("models".into()),
        ..item("ollama-vm")
    };
    let near = Item { does: Some("models".into()), ..item("llama") };
    let said = said(vec![far, near, needs("agent", &["ollama-vm"])]);
    assert_eq!(
        said,
        [
            "bridge service.agent.requires.0: `agent` asks `ollama-vm` across the bridge, and `llama` does the same job on its own side | require `llama` instead"
        ]
    );
    let twins = self::said(vec![
        Item { plane: Plane::Guest, supervised: false, check: one_check(), ..item("dns-guest") },
        item("dns"),
        needs("agent", &["dns-guest"]),
    ]);
    assert!(twins.iter().any(|line| line.starts_with("bridge")), "{twins:?}");
}

#[test]
fn what_cannot_be_tried_and_what_nobody_looks_at() {
    let odd = Item {
        heal: vec!["reboot".into(), "recipe:nonsense".into(), "recipe:full-log-disk".into()],
        ..item("odd")
    };
    let blind = Item { tier: Tier::Critical, ..item("blind") };
    let foreign = Item { supervised: false, heal: vec!["restart".into()], ..item("foreign") };
    let said = said(vec![odd, blind, foreign]);
    let rules: Vec<&str> = said.iter().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(
        rules,
        [
            "heal service.odd.heal.0",
            "recipe service.odd.heal.1",
            "unchecked service.blind",
            "unchecked service.foreign",
            "restart service.foreign.heal.0"
        ]
    );
}

#[test]
fn a_critical_service_should_not_lean_on_an_ordinary_one() {
    let critical = Item { tier: Tier::Critical, check: one_check(), ..needs("door", &["db"]) };
    let said = said(vec![item("db"), critical]);
    assert!(said[0].starts_with("weaker service.door.requires.0"), "{said:?}");
}

proptest! {
    /// Whatever is declared: a circle is found exactly if no order exists.
    #[test]
    fn circles_are_found_exactly_when_no_order_exists(edges in prop::collection::vec((0_usize..12, 0_usize..12), 0..30)) {
        let names: Vec<String> = (0..12).map(|at| format!("s{at}")).collect();
        let mut items: Vec<Item> = names.iter().map(|name| item(name)).collect();
        for (from, to) in &edges {
            items[*from].requires.push(names[*to].clone());
        }
        let inventory = Inventory(items);
        let found = cycles(&inventory);
        for cycle in &found {
            prop_assert!(cycle.len() > 1);
            for (at, name) in cycle.iter().enumerate() {
                let next = cycle[(at + 1) % cycle.len()];
                prop_assert!(inventory.get(name).unwrap().requires.iter().any(|below| below == next));
            }
        }
        // The definition, slowly: somebody reaches itself through others.
        let mut reach = [[false; 12]; 12];
        for (from, to) in edges.iter().filter(|(from, to)| from != to) {
            reach[*from][*to] = true;
        }
        for via in 0..12 { for a in 0..12 { for b in 0..12 { reach[a][b] |= reach[a][via] && reach[via][b]; } } }
        prop_assert_eq!(!found.is_empty(), (0..12).any(|at| reach[at][at]));
    }
}
