//! `/v1/models`, in the shape each client looks for.

use crate::json::Object;
use crate::write::{list, object};

/// What a list of models says of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    pub id: String,
    /// For people; the id where there is none.
    pub display_name: Option<String>,
    /// Seconds since 1970.
    pub created: i64,
    pub owner: String,
}

/// Whose list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `{"object":"list","data":[{"id","object":"model","created","owned_by"}]}`.
    OpenAi,
    /// `{"data":[{"type":"model","id","display_name","created_at"}],"has_more","first_id","last_id"}`.
    Anthropic,
    /// Both at once: clients of either find what they look for and pass over the rest.
    Both,
}

/// Which part of the list, in Anthropic's words.
#[derive(Debug, Clone, Copy, Default)]
pub struct Page<'p> {
    /// At most this many; everything if `None`.
    pub limit: Option<usize>,
    pub after: Option<&'p str>,
    pub before: Option<&'p str>,
}

/// The body of the list.
pub fn write(models: &[Model], shape: Shape, page: Page<'_>) -> Vec<u8> {
    let (shown, more) = cut(models, page);
    let mut out = Vec::with_capacity(128 * shown.len() + 64);
    object(&mut out, |o| {
        if shape != Shape::Anthropic {
            o.put("object", "list");
        }
        let data = o.key("data");
        list(data, |list| shown.iter().for_each(|model| list.with(|o| fields(model, shape, o))));
        if shape != Shape::OpenAi {
            o.put("has_more", &more);
            o.put("first_id", &shown.first().map(|model| &model.id));
            o.put("last_id", &shown.last().map(|model| &model.id));
        }
    });
    out
}

/// The body of one model.
pub fn write_one(model: &Model, shape: Shape) -> Vec<u8> {
    let mut out = Vec::new();
    object(&mut out, |o| fields(model, shape, o));
    out
}

fn fields(model: &Model, shape: Shape, o: &mut Object<'_>) {
    o.put("id", &model.id);
    if shape != Shape::Anthropic {
        o.put("object", "model");
        o.put("created", &model.created);
        o.put("owned_by", &model.owner);
    }
    if shape != Shape::OpenAi {
        o.put("type", "model");
        o.put("display_name", model.display_name.as_ref().unwrap_or(&model.id));
        o.put("created_at", &utc(model.created));
    }
}

/// The models of a page, and whether there are more beyond it.
fn cut<'m>(models: &'m [Model], page: Page<'_>) -> (&'m [Model], bool) {
    let place = |id: &str| models.iter().position(|model| model.id == id);
    let start = page.after.and_then(place).map_or(0, |at| at + 1);
    let end = page.before.and_then(place).unwrap_or(models.len()).max(start);
    let Some(wanted) = models.get(start..end) else { return (&[], false) };
    let count = page.limit.unwrap_or(wanted.len()).min(wanted.len());
    // Backwards, the page is the one right before the cursor.
    let backwards = page.before.is_some() && page.after.is_none();
    let shown = if backwards { wanted.get(wanted.len() - count..) } else { wanted.get(..count) };
    (shown.unwrap_or_default(), count < wanted.len())
}

/// RFC 3339, after Howard Hinnant's `civil_from_days`.
fn utc(seconds: i64) -> String {
    let (days, time) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", time / 3_600, time / 60 % 60, time % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn models() -> Vec<Model> {
        ["a", "b", "c"]
            .map(|id| Model {
                id: id.to_owned(),
                display_name: (id == "a").then(|| "The first".to_owned()),
                created: 1_700_000_000,
                owner: "house".to_owned(),
            })
            .to_vec()
    }

    #[test]
    fn pages_follow_their_cursors() {
        let ids = |page: Page<'_>| {
            let models = models();
            let (shown, more) = cut(&models, page);
            (shown.iter().map(|model| model.id.clone()).collect::<String>(), more)
        };
        let page = |limit, after, before| Page { limit, after, before };
        assert_eq!(ids(page(Some(2), None, None)), ("ab".into(), true));
        assert_eq!(ids(page(Some(2), Some("b"), None)), ("c".into(), false));
        assert_eq!(ids(page(Some(1), None, Some("c"))), ("b".into(), true));
        assert_eq!(ids(page(None, Some("c"), None)), (String::new(), false));
        assert_eq!(ids(page(None, Some("c"), Some("a"))), (String::new(), false));
        assert_eq!(ids(page(None, Some("gone"), None)), ("abc".into(), false));
    }

    #[test]
    fn seconds_have_dates() {
        for (seconds, date) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_700_000_000, "2023-11-14T22:13:20Z"),
            (4_102_444_799, "2099-12-31T23:59:59Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(utc(seconds), date);
        }
    }
}
