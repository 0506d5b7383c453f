//! Complaints with their place, drawn as people read them.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// One complaint about the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// A lower-case fragment without a full stop.
    pub message: String,
    /// Bytes of the file it is about.
    pub span: Option<Range<usize>>,
    pub hint: Option<String>,
}

impl Problem {
    pub(crate) fn at(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { message: message.into(), span: Some(span), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Everything wrong with a file, in the order of the file. Displays as lines with carets.
#[derive(Debug, Clone)]
pub struct Problems {
    pub path: PathBuf,
    pub source: String,
    pub all: Vec<Problem>,
}

impl std::error::Error for Problems {}

impl Problems {
    /// Line and column of a problem, both from 1.
    pub fn position(&self, problem: &Problem) -> Option<(usize, usize)> {
        let before = self.source.get(..problem.span.as_ref()?.start)?;
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        Some((line, column))
    }

    /// The span in whole characters and not empty: an empty one draws no caret, half a character cannot be drawn.
    fn drawable(&self, span: &Range<usize>) -> Range<usize> {
        let start = self.source.floor_char_boundary(span.start);
        start..self.source.ceil_char_boundary(span.end.max(start + 1))
    }

    /// Draws all problems, in colour for terminals.
    pub fn draw(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let path = self.path.display().to_string();
        let mut text = String::new();
        for problem in &self.all {
            let mut group = Level::ERROR
                .primary_title(problem.message.as_str())
                .elements(Vec::<annotate_snippets::Element<'_>>::new());
            if let Some(span) = problem.span.clone() {
                let span = self.drawable(&span);
                let snippet = Snippet::source(self.source.as_str()).path(path.as_str());
                group = group.element(snippet.annotation(AnnotationKind::Primary.span(span)));
            }
            if let Some(hint) = &problem.hint {
                group = group.element(Level::HELP.message(hint.as_str()));
            }
            text.push_str(&renderer.render(&[group]));
            text.push_str("\n\n");
        }
        text.trim_end().to_owned()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.draw(false))
    }
}
