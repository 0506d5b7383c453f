//! `sanctum models`: what can be asked for.

use std::io::Write;

use sanctum_api::proxy::{Client, Model};
use sanctum_kernel::exit;

use crate::cli::{Cli, Outcome};
use crate::paint::Paint;

/// The models that can be asked: where they run, how strong they are, what they can, what they cost.
///
/// `local` models run in this house: only they answer requests of the classes `health` and `finance`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sanctum models
  sanctum models opus           those whose name or alias contains the word
  sanctum models --json | jq -r '.[] | select(.locality == \"local\") | .id'")]
pub(crate) struct Args {
    /// Only models whose name, provider or alias contains this
    word: Option<String>,
}

pub(crate) fn run(args: Args, cli: &Cli) -> Outcome {
    let client = Client::new(cli.transport("proxy")?);
    let mut models = cli.call(client.models())?;
    if let Some(word) = &args.word {
        let says = |text: &String| text.to_lowercase().contains(&word.to_lowercase());
        models.retain(|model| says(&model.id) || says(&model.provider) || model.aliases.iter().any(says));
    }
    cli.show(&models, |out, paint| match (models.is_empty(), &args.word) {
        (true, Some(word)) => writeln!(out, "No model is called like `{word}`; `sanctum models` lists them all."),
        (true, None) => writeln!(out, "No model is configured: see `[proxy]` in `sanctum config example`."),
        _ => table(out, paint, &models),
    })?;
    Ok(if models.is_empty() && args.word.is_some() { exit::NO } else { exit::OK })
}

fn table(out: &mut dyn Write, paint: Paint, models: &[Model]) -> std::io::Result<()> {
    let wide = models.iter().map(|model| model.id.chars().count()).max().unwrap_or(0).clamp(5, 40);
    let head = format!("{:<wide$} {:<12} {:<6} {:<9} {:>9} {:>9} {:>8}", "model", "provider", "where", "tier", "in $/M", "out $/M", "context");
    writeln!(out, "{}", paint.dim(format!("{head}  can")))?;
    for model in models {
        let place = format!("{:<6}", model.locality);
        let place = if model.locality == "local" { paint.green(place) } else { place };
        let context = model.context.map_or_else(|| "–".to_owned(), thousands);
        let aliases = if model.aliases.is_empty() { String::new() } else { format!("  = {}", model.aliases.join(", ")) };
        writeln!(
            out,
            "{} {:<12} {place} {:<9} {:>9} {:>9} {context:>8}  {}{}",
            paint.bold(format!("{:<wide$}", model.id)),
            model.provider,
            model.tier,
            price(model.input_usd),
            price(model.output_usd),
            model.can.join(" "),
            paint.dim(aliases),
        )?;
    }
    Ok(())
}

fn price(dollars: f64) -> String {
    if dollars == 0.0 { "free".to_owned() } else { format!("{dollars:.2}") }
}

fn thousands(tokens: u64) -> String {
    if tokens >= 1_000_000 { format!("{} M", tokens / 1_000_000) } else { format!("{} k", tokens / 1_000) }
}
