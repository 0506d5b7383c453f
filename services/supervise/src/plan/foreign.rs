//! Plans for what the file declares under `[service.NAME]`.

use std::time::Duration;

use sanctum_kernel::inventory::{Declared, Run};
use sanctum_kernel::{House, SecretRef};

use super::{Check, Plan};

/// How long a foreign program may take to end, if its declaration does not say.
const GRACE: Duration = Duration::from_secs(10);

/// The plans of a house: every declared service that the supervisor is to run. `others` are the names of plans besides
/// these; what is neither runs elsewhere, and nobody here can wait for it.
pub(crate) fn of_house(house: &House, others: &[Plan]) -> Vec<Plan> {
    let kept = |name: &String| {
        others.iter().any(|plan| plan.name == *name)
            || house.service.get(name).is_some_and(|declared| declared.run.is_some())
    };
    let run =
        house.service.iter().filter_map(|(name, declared)| Some((name, declared, declared.run.as_ref()?)));
    run.map(|(name, declared, run)| {
        let mut plan = plan(name, declared, run);
        for names in [&mut plan.requires, &mut plan.wants, &mut plan.after] {
            names.retain(kept);
        }
        plan
    })
    .collect()
}

fn plan(name: &str, declared: &Declared, run: &Run) -> Plan {
    let (program, args) =
        run.command.split_first().map_or(("", &[][..]), |(program, args)| (program.as_str(), args));
    let secret = |value: &String| value.parse::<SecretRef>().ok();
    let plain = run.environment.iter().filter(|(_, value)| secret(value).is_none());
    let secrets = run.environment.iter().filter_map(|(name, value)| Some((name.clone(), secret(value)?)));
    let ready = match &run.ready {
        Some(check) => Check::Declared(Box::new(check.clone())),
        None if run.notify => Check::Told,
        None => Check::Process,
    };
    Plan {
        house_name: declared.name.clone().unwrap_or_else(|| name.to_owned()),
        summary: declared.summary.clone(),
        kind: declared.kind,
        args: args.iter().map(Into::into).collect(),
        env: plain.map(|(name, value)| (name.clone(), value.clone())).collect(),
        secrets: secrets.collect(),
        requires: declared.requires.clone(),
        wants: declared.wants.clone(),
        after: declared.after.clone(),
        ready,
        notify: run.notify,
        start_within: run.start_within.map(|period| period.0),
        grace: run.grace.map_or(GRACE, |period| period.0),
        stop_signal: run.stop_signal.unwrap_or_default(),
        port: declared.port,
        directory: run.directory.clone(),
        user: run.user.clone(),
        group: run.group.clone(),
        limits: run.limits.clone(),
        oom_score: run.oom_score,
        nice: run.nice,
        schedule: run.schedule.clone(),
        seat: declared.seat.clone(),
        ..Plan::new(name, program)
    }
}
