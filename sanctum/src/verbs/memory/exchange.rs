//! Import and export: files and folders of others, read here and taken in there.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use sanctum_api::memory::Imported;
use sanctum_kernel::chain::Hinted;
use sanctum_kernel::{Failure, exit, files};
use serde::{Deserialize, Serialize};

use super::{count, patient};
use crate::cli::{Cli, Outcome};
use crate::paint::Paint;

/// Take in what others remember: an Obsidian vault, an export of ChatGPT or Claude, mem0 or MCP-memory, our own lines.
///
/// The words of an import are nobody's of this house: their origin is `untrusted`.
#[derive(Debug, clap::Args)]
pub(super) struct Import {
    /// The file, the folder, or `-` for the standard input
    from: PathBuf,
    /// chatgpt, claude, mem0, mcp-memory, obsidian or jsonl; known by its beginning if absent
    #[arg(long)]
    format: Option<String>,
}

/// Write what is remembered as others read it.
#[derive(Debug, clap::Args)]
pub(super) struct Export {
    /// obsidian, jsonl, mem0 or mcp-memory
    #[arg(long, default_value = "jsonl")]
    format: String,
    /// The file; a folder makes it an Obsidian vault; the standard output if absent
    #[arg(long, value_name = "PATH")]
    to: Option<PathBuf>,
}

/// A file of a folder, as it travels.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    path: String,
    text: String,
}

pub(super) fn import(import: &Import, cli: &Cli) -> Outcome {
    let from = &import.from;
    let (format, left, bytes) = if from.is_dir() {
        let (bytes, left) = folder(from)?;
        (Some(import.format.as_deref().unwrap_or("obsidian")), left, bytes)
    } else {
        let mut bytes = Vec::new();
        let read = match from.as_os_str() == "-" {
            true => io::stdin().read_to_end(&mut bytes),
            false => fs::File::open(from).and_then(|mut file| file.read_to_end(&mut bytes)),
        };
        read.map_err(|error| {
            let message = format!("could not read `{}`", from.display());
            Hinted::new(exit::NO_INPUT, message, "name a file or folder that is there, or `-`").because(error)
        })?;
        (import.format.as_deref(), Vec::new(), bytes)
    };
    let mut imported = cli.call(patient(cli)?.import(format, bytes))?;
    imported.left_out += u32::try_from(left.len()).unwrap_or(u32::MAX);
    imported.left.extend(left);
    cli.show(&imported, |out, paint| taken(out, paint, &imported))?;
    Ok(if imported.left_out == 0 { exit::OK } else { exit::NO })
}

fn taken(out: &mut dyn Write, paint: Paint, imported: &Imported) -> io::Result<()> {
    let notes = |n: u32| count(usize::try_from(n).unwrap_or(usize::MAX), "note");
    writeln!(out, "{} {} taken, {} were here already", paint.green("●"), notes(imported.taken), imported.duplicates)?;
    if imported.left_out > 0 {
        writeln!(out, "{}", paint.yellow(format!("{} could not be taken:", imported.left_out)))?;
    }
    imported.left.iter().try_for_each(|line| writeln!(out, "  {line}"))
}

/// A line of JSON for every Markdown file below a folder, and what could not be read. Hidden folders are the editor's own.
fn folder(root: &Path) -> Result<(Vec<u8>, Vec<String>), Failure> {
    let (mut lines, mut left, mut open) = (Vec::new(), Vec::new(), vec![root.to_owned()]);
    while let Some(dir) = open.pop() {
        let mut entries: Vec<_> = fs::read_dir(&dir)?.filter_map(Result::ok).collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            let shown = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            // A link may lead anywhere, also back here.
            let kind = entry.file_type()?;
            if entry.file_name().to_string_lossy().starts_with('.') || kind.is_symlink() {
                continue;
            }
            if kind.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("md")) {
                match fs::read_to_string(&path) {
                    Ok(text) => {
                        serde_json::to_writer(&mut lines, &Line { path: shown, text })?;
                        lines.push(b'\n');
                    }
                    Err(error) => left.push(format!("{shown}: {error}")),
                }
            }
        }
    }
    Ok((lines, left))
}

pub(super) fn export(export: &Export, cli: &Cli) -> Outcome {
    let client = patient(cli)?;
    let into_folder = export.to.as_ref().is_some_and(|to| to.is_dir() || to.extension().is_none());
    let format = if into_folder { "obsidian" } else { export.format.as_str() };
    let (mut cursor, mut written) = (None, 0);
    let mut file = match &export.to {
        Some(to) if !into_folder => {
            if to.exists() {
                let message = format!("`{}` is there already", to.display());
                return Err(Hinted::new(exit::CANNOT_CREATE, message, "name another file, or remove that one").into());
            }
            Some(files::append(to)?)
        }
        _ => None,
    };
    loop {
        let page = cli.call(client.export(format, cursor.as_deref()))?;
        for piece in &page.pieces {
            match (&export.to, &mut file) {
                (_, Some(file)) => file.write_all(piece.as_bytes())?,
                (Some(root), None) => unfold(root, piece)?,
                (None, None) => cli.say(piece.trim_end_matches('\n'))?,
            }
            written += 1;
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    if let Some(to) = &export.to {
        cli.show(&written, |out, _| writeln!(out, "{} written to {}", count(written, "note"), to.display()))?;
    }
    Ok(exit::OK)
}

/// Writes the file of a line below `root`, wherever its name points; one that would leave it is refused.
fn unfold(root: &Path, piece: &str) -> Result<(), Failure> {
    let line: Line = serde_json::from_str(piece)?;
    let path = Path::new(&line.path);
    if !path.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(format!("`{}` is not a name below a folder", line.path).into());
    }
    let path = root.join(path);
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    Ok(files::replace(&path, line.text.as_bytes(), 0o600)?)
}
