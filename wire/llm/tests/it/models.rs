//! Lists of models in the shapes of both houses.

use sanctum_llm::models::{Model, Page, Shape, write, write_one};

#[test]
fn each_client_finds_its_shape() {
    let model = |id: &str, display_name: Option<&str>| Model {
        id: id.to_owned(),
        display_name: display_name.map(str::to_owned),
        created: 1_700_000_000,
        owner: "house".to_owned(),
    };
    let models = [model("a", Some("The first")), model("b", None)];
    let shown = |shape| String::from_utf8(write(&models, shape, Page::default())).unwrap();
    let one = String::from_utf8(write_one(&models[0], Shape::Both)).unwrap();
    insta::assert_snapshot!([shown(Shape::OpenAi), shown(Shape::Anthropic), one].join("\n"));
    let none = String::from_utf8(write(&[], Shape::Both, Page::default())).unwrap();
    assert_eq!(none, r#"{"object":"list","data":[],"has_more":false,"first_id":null,"last_id":null}"#);
}
