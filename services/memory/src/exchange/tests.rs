//! Exports as others write them, whole and broken.

use std::ops::ControlFlow;

use proptest::prelude::*;
use sanctum_api::memory::{Head, Kind, Note};

use super::*;
use crate::gate::tests::head;

fn taken(text: &str) -> (&'static str, Vec<Draft>, Vec<(String, String)>) {
    let (format, mut input) = recognise(text.as_bytes()).unwrap();
    let format = format.expect("a known format");
    let (mut drafts, mut left) = (Vec::new(), Vec::new());
    let read = format.read(&mut input, &mut |item| {
        match item {
            Item::Draft(draft) => drafts.push(*draft),
            Item::Left(at, why) => left.push((at, why)),
        }
        ControlFlow::Continue(())
    });
    read.unwrap();
    (format.name, drafts, left)
}

const CHATGPT: &str = r#"[
 {"title":"Leeks","create_time":1700000000.5,"update_time":1700003600.0,"conversation_id":"c1","current_node":"d",
  "mapping":{
   "a":{"id":"a","message":null,"parent":null,"children":["b"]},
   "b":{"id":"b","parent":"a","children":["c","x"],"message":{"author":{"role":"user"},"content":{"content_type":"text","parts":["When do I plant leeks?"]}}},
   "x":{"id":"x","parent":"b","children":[],"message":{"author":{"role":"assistant"},"content":{"content_type":"text","parts":["Never."]}}},
   "c":{"id":"c","parent":"b","children":["d"],"message":{"author":{"role":"tool"},"content":{"content_type":"text","parts":["a table"]}}},
   "d":{"id":"d","parent":"c","children":[],"message":{"author":{"role":"assistant"},"content":{"content_type":"multimodal_text","parts":["In March.",{"content_type":"image_asset_pointer"}]}}}}},
 {"title":"Broken","mapping":7},
 {"title":"Empty","mapping":{}}
]"#;

#[test]
fn chatgpt_gives_the_branch_that_is_shown_and_says_what_it_could_not_take() {
    let (name, drafts, left) = taken(CHATGPT);
    assert_eq!((name, drafts.len()), ("chatgpt", 1));
    let draft = &drafts[0];
    assert_eq!(draft.write.text, "**user**: When do I plant leeks?\n\n**assistant**: In March.");
    assert_eq!(
        (draft.write.folder.as_deref(), draft.write.kind),
        (Some("events/2023/11"), Some(Kind::Episodic))
    );
    assert_eq!(
        (draft.write.session.as_deref(), draft.created.unwrap().as_second()),
        (Some("chatgpt:c1"), 1_700_000_000)
    );
    assert_eq!(left.len(), 2);
    assert!(left[0].0.contains("element 2") && left[0].1.contains("mapping"), "{left:?}");
}

#[test]
fn what_comes_before_a_break_is_taken() {
    let cut = CHATGPT.find("{\"title\":\"Broken").unwrap();
    let (_, drafts, left) = taken(&format!("{} {{\"title\": ", CHATGPT.get(..cut).unwrap()));
    assert_eq!((drafts.len(), left.len()), (1, 1));
    assert!(left[0].0.contains("after element 1"), "{left:?}");
}

#[test]
fn claude_gives_what_was_said_and_attached() {
    let text = r#"[{"uuid":"u1","name":"Tax","created_at":"2026-03-01T10:00:00Z","updated_at":"2026-03-01T10:05:00Z","chat_messages":[
        {"sender":"human","text":"Read this","content":[{"type":"text","text":"Read this"}],"attachments":[{"file_name":"a.txt","extracted_content":"42 euros"}]},
        {"sender":"assistant","text":"","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"It says 42 euros."}]}]}]"#;
    let (name, drafts, left) = taken(text);
    assert_eq!((name, drafts.len(), left.len()), ("claude", 1, 0));
    assert_eq!(
        drafts[0].write.text,
        "**user**: Read this\n\n> a.txt\n42 euros\n\n**assistant**: It says 42 euros."
    );
}

#[test]
fn mem0_and_the_graph_of_mcp_become_notes_with_links() {
    let text = r#"{"results":[{"id":"m1","memory":"Likes leeks","agent_id":"yoda","categories":["Food & Co"],"created_at":"2026-03-01T10:00:00.5-07:00"},{"id":"m2"}],"relations":[{"x":[1]}]}"#;
    let (name, drafts, left) = taken(text);
    assert_eq!((name, drafts.len(), left.len()), ("mem0", 1, 1));
    assert_eq!(
        (drafts[0].write.folder.as_deref(), drafts[0].write.agent.as_deref()),
        (Some("knowledge/food-co"), Some("yoda"))
    );

    let text = r#"{"type":"relation","from":"Bert","to":"Chloé","relationType":"is_married_to"}
{"type":"entity","name":"Bert","entityType":"person","observations":["Likes leeks","Lives in Namur"]}
{"type":"entity","name":"Nobody","entityType":"person","observations":[]}
not json
{"some":"thing"}"#;
    let (name, drafts, left) = taken(text);
    assert_eq!((name, drafts.len(), left.len()), ("mcp-memory", 1, 3));
    assert_eq!(drafts[0].write.text, "- Likes leeks\n- Lives in Namur\n- is married to [[Chloé]]");
}

#[test]
fn a_folder_of_markdown_keeps_its_names_and_folders_and_never_leaves_the_vault() {
    let lines = [
        r##"{"path":"Garden/Leeks.md","text":"---\ntags: [garden, \"#food\"]\n---\n# Leeks\nSee [[Soil]]."}"##,
        r#"{"path":"knowledge/a/B.md","text":"text"}"#,
        r#"{"path":"../../etc/passwd","text":"x"}"#,
        r#"{"path":"/etc/passwd","text":"x"}"#,
        r#"{"path":".obsidian/app.json","text":"{}"}"#,
        r#"{"path":"empty.md","text":"---\na: b\n---\n"}"#,
    ];
    let (name, drafts, left) = taken(&lines.join("\n"));
    assert_eq!((name, drafts.len(), left.len()), ("obsidian", 2, 4));
    assert_eq!(drafts[0].write.folder.as_deref(), Some("knowledge/Garden"));
    assert_eq!(
        (drafts[0].write.title.as_deref(), &*drafts[0].write.text),
        (Some("Leeks"), "# Leeks\nSee [[Soil]].")
    );
    assert_eq!(drafts[0].write.tags, ["garden", "food"]);
    assert_eq!(drafts[1].write.folder.as_deref(), Some("knowledge/a"));
}

#[test]
fn a_long_conversation_becomes_several_notes_of_one_session() {
    let said = "word ".repeat(2000);
    let message = |who: &str| format!(r#"{{"sender":"{who}","text":"{said}"}}"#);
    let all: Vec<String> = (0..12).map(|i| message(if i % 2 == 0 { "human" } else { "assistant" })).collect();
    let (_, drafts, _) =
        taken(&format!(r#"[{{"uuid":"u","name":"Long","chat_messages":[{}]}}]"#, all.join(",")));
    assert!(drafts.len() > 1 && drafts.iter().all(|draft| draft.write.text.len() <= LONGEST + said.len()));
    assert!(drafts.iter().all(|draft| draft.write.session.as_deref() == Some("claude:u")));
}

#[test]
fn bytes_that_are_no_text_are_left_and_the_rest_is_read() {
    let note = Note {
        head: Head { id: format!("n-{}", "a".repeat(26)), ..head("x") },
        text: "hello".into(),
        contradicts: vec![],
    };
    let mut bytes = Vec::new();
    jsonl::FORMAT.write(&note, &mut bytes).unwrap();
    bytes.extend(b"\xff\xfe\n");
    let mut again = Vec::new();
    jsonl::FORMAT.write(&note, &mut again).unwrap();
    bytes.extend(again);
    let (format, mut input) = recognise(&*bytes).unwrap();
    let mut seen = Vec::new();
    format
        .unwrap()
        .read(&mut input, &mut |item| {
            seen.push(matches!(item, Item::Draft(_)));
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(seen, [true, false, true]);
}

proptest! {
    #[test]
    fn what_we_write_we_read_back(text in "\\PC{1,200}", tags in prop::collection::vec("[a-z]{1,8}", 0..3), base in prop::option::of(0.0_f32..1.0)) {
        let head = Head { id: format!("n-{}", "0".repeat(26)), tags, base, key: Some("a.b".into()), superseded_by: Some("n-x".into()), ..head("x") };
        let note = Note { head, text, contradicts: vec![] };
        let mut bytes = Vec::new();
        jsonl::FORMAT.write(&note, &mut bytes).unwrap();
        let (name, drafts, left) = taken(std::str::from_utf8(&bytes).unwrap());
        prop_assert_eq!((name, drafts.len(), left.len()), ("jsonl", 1, 0));
        let draft = &drafts[0];
        prop_assert_eq!(&draft.write.text, &note.text);
        prop_assert_eq!(&draft.write.tags, &note.head.tags);
        prop_assert_eq!((draft.id.as_ref(), draft.superseded_by.as_ref()), (Some(&note.head.id), note.head.superseded_by.as_ref()));
        prop_assert_eq!(draft.created, Some(note.head.created));
    }

    #[test]
    fn no_input_whatever_breaks_a_reader(bytes in prop::collection::vec(any::<u8>(), 0..400), cut in 0_usize..2000) {
        for format in FORMATS {
            for input in [&*bytes, &CHATGPT.as_bytes()[..cut.min(CHATGPT.len())]] {
                let mut input = std::io::BufReader::new(input);
                format.read(&mut input, &mut |_| ControlFlow::Continue(())).unwrap();
            }
        }
    }
}
