//! A note in pieces that are found by themselves.

use crate::model::Passage;
use crate::vault::id::sha256;

/// Words of a passage, about: more are cut at the end of a sentence.
const MOST: usize = 200;
/// Short paragraphs of one section stay together up to this many words.
const FEW: usize = 60;
/// Passages of one note; what comes behind is not found by its words.
const LIMIT: usize = 4000;

/// Splits the Markdown of a note: a section, some paragraphs of one, a turn of a conversation.
pub(crate) fn passages(text: &str) -> Vec<Passage> {
    let mut cutter = Cutter::default();
    let mut fence = false;
    for line in text.lines() {
        let start = line.trim_start();
        if start.starts_with("```") || start.starts_with("~~~") {
            fence = !fence;
        }
        let line = line.trim_end();
        if fence {
            cutter.line(line);
        } else if line.is_empty() {
            cutter.end_block();
        } else if is_heading(line) {
            cutter.end_section();
            cutter.line(line);
            cutter.end_block();
        } else if is_turn(line) {
            cutter.end_section();
            cutter.turn = true;
            cutter.line(line);
        } else if cutter.turn && !line.starts_with([' ', '\t']) && is_item(line) {
            cutter.end_section();
            cutter.line(line);
        } else {
            cutter.line(line);
        }
        if cutter.done.len() >= LIMIT {
            break;
        }
    }
    cutter.end_section();
    cutter.done.truncate(LIMIT);
    let made = cutter.done.into_iter().map(|text| Passage { hash: sha256(text.as_bytes()), text });
    made.collect()
}

fn is_heading(line: &str) -> bool {
    let rest = line.trim_start_matches('#');
    let level = line.len() - rest.len();
    (1..=6).contains(&level) && rest.starts_with(' ')
}

fn is_item(line: &str) -> bool {
    line.starts_with("- ") || line.starts_with("* ")
}

/// Whether somebody speaks: `**Ava:** …`, `- **Ava** (…): …`, `**Ava**: …`.
fn is_turn(line: &str) -> bool {
    let line = line.strip_prefix("- ").or_else(|| line.strip_prefix("* ")).unwrap_or(line);
    let Some((name, rest)) = line.strip_prefix("**").and_then(|rest| rest.split_once("**")) else {
        return false;
    };
    let named = !name.is_empty() && name.len() <= 60;
    named && (name.ends_with(':') || rest.get(..rest.len().min(60)).unwrap_or(rest).contains(':'))
}

#[derive(Debug, Default)]
struct Cutter {
    done: Vec<String>,
    /// Whole blocks that wait for more of their section.
    waiting: String,
    words: usize,
    block: String,
    turn: bool,
}

impl Cutter {
    fn line(&mut self, line: &str) {
        if !self.block.is_empty() {
            self.block.push('\n');
        }
        self.block.push_str(line);
    }

    fn end_block(&mut self) {
        let block = std::mem::take(&mut self.block);
        if block.trim().is_empty() {
            return;
        }
        let words = block.split_whitespace().count();
        if self.words > 0 && self.words + words > MOST {
            self.flush();
        }
        if words > MOST {
            let pieces = cut(&block);
            self.flush();
            self.done.extend(pieces);
            return;
        }
        if !self.waiting.is_empty() {
            self.waiting.push('\n');
        }
        self.waiting.push_str(&block);
        self.words += words;
        // A heading alone waits for what it heads.
        if self.words >= FEW && !is_heading(&block) {
            self.flush();
        }
    }

    fn end_section(&mut self) {
        self.end_block();
        self.flush();
        self.turn = false;
    }

    fn flush(&mut self) {
        let text = std::mem::take(&mut self.waiting);
        self.words = 0;
        if !text.is_empty() {
            self.done.push(text);
        }
    }
}

/// Pieces of at most `MOST` words, each up to the end of a sentence where there is one in its second half.
fn cut(block: &str) -> Vec<String> {
    let words: Vec<&str> = block.split_whitespace().collect();
    let mut pieces = Vec::new();
    let mut rest = words.as_slice();
    while rest.len() > MOST {
        let ends = |word: &&str| word.ends_with(['.', '!', '?', '。', '…', ';']);
        let window = rest.get(..MOST).unwrap_or(rest);
        let at = window.iter().rposition(ends).filter(|at| *at >= MOST / 2).map_or(MOST, |at| at + 1);
        let (piece, after) = rest.split_at(at);
        pieces.push(shortened(piece.join(" ")));
        rest = after;
    }
    pieces.push(shortened(rest.join(" ")));
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// Words of a thousand letters are data.
fn shortened(mut text: String) -> String {
    const BYTES: usize = 8 * 1024;
    if text.len() > BYTES {
        let mut end = BYTES;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(text: &str) -> Vec<String> {
        passages(text).into_iter().map(|passage| passage.text).collect()
    }

    #[test]
    fn a_section_is_a_passage_and_short_paragraphs_stay_together() {
        let text = "# Garden\n\nRoses are cut in March.\n\nTulips in May.\n\n## Water\n\nThe tank holds 300 litres.\n";
        assert_eq!(
            texts(text),
            ["# Garden\nRoses are cut in March.\nTulips in May.", "## Water\nThe tank holds 300 litres."]
        );
        assert_eq!(texts(""), [""; 0]);
    }

    #[test]
    fn each_turn_of_a_conversation_is_a_passage() {
        let text = "# Monday\n\n- **Ava** (9:00): Where is it?\n  In the shed?\n- **Ben:** Yes.\n\n**Ava**: Thanks.\n";
        assert_eq!(
            texts(text),
            [
                "# Monday",
                "- **Ava** (9:00): Where is it?\n  In the shed?",
                "- **Ben:** Yes.",
                "**Ava**: Thanks."
            ]
        );
        // A list is not a conversation.
        assert_eq!(texts("- milk\n- bread\n"), ["- milk\n- bread"]);
    }

    #[test]
    fn a_long_paragraph_is_cut_at_the_end_of_a_sentence() {
        let text = "one two three four five six seven eight nine ten. ".repeat(45);
        let texts = texts(&text);
        assert_eq!(texts.len(), 3);
        assert!(texts.iter().all(|text| text.ends_with("ten.") && text.split_whitespace().count() <= MOST));
    }

    proptest! {
        #[test]
        fn every_word_is_in_some_passage(text in "([a-z]{1,5}[ \n#*-]{1,2}){0,400}") {
            let all: String = texts(&text).join(" ");
            for word in text.split_whitespace() {
                prop_assert!(all.contains(word));
            }
        }
    }
}
