//! What an object's own annotations say of waiting for it, and how times are written.

use std::time::Duration;

use serde_json::Value;
use underpin_model::{FieldPath, Object, Place, names};

/// Longest time that can be asked for; far longer than any run.
const LONGEST: Duration = Duration::from_hours(7 * 24);

/// What an `up` waits for after it applied an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Until {
    /// That it is ready; of a Job, that it has started.
    #[default]
    Ready,
    /// Of a Job: that it has done its work.
    Complete,
    /// Nothing.
    Applied,
}

/// How an object wants to be waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// What for.
    pub until: Until,
    /// How long; `None` leaves it to the run.
    pub timeout: Option<Duration>,
}

/// An annotation that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingError {
    /// Where it stands, if that is known.
    pub place: Option<Place>,
    /// What is wrong.
    pub message: String,
    /// The way out.
    pub help: &'static str,
}

/// Reads the annotations of an object, [`names::WAIT_ANNOTATION`] and
/// [`names::WAIT_TIMEOUT_ANNOTATION`]. What cannot be followed is reported, and left out.
pub fn waiting(object: &Object) -> (Waiting, Vec<WaitingError>) {
    let (mut waiting, mut errors) = (Waiting::default(), Vec::new());
    match until(object) {
        Ok(until) => waiting.until = until,
        Err(help) => errors.push(error(object, names::WAIT_ANNOTATION, help)),
    }
    match timeout(object) {
        Ok(timeout) => waiting.timeout = timeout,
        Err(help) => errors.push(error(object, names::WAIT_TIMEOUT_ANNOTATION, help)),
    }
    (waiting, errors)
}

fn until(object: &Object) -> Result<Until, &'static str> {
    let is_job = object.key.kind.is("batch", "Job");
    match annotation(object, names::WAIT_ANNOTATION)? {
        None | Some("true") => Ok(Until::Ready),
        Some("false") => Ok(Until::Applied),
        Some("complete") if is_job => Ok(Until::Complete),
        Some("complete") => Err("only a Job can be waited for until it is `complete`"),
        Some(_) => Err("write \"true\", \"false\" or, on a Job, \"complete\""),
    }
}

fn timeout(object: &Object) -> Result<Option<Duration>, &'static str> {
    let Some(text) = annotation(object, names::WAIT_TIMEOUT_ANNOTATION)? else {
        return Ok(None);
    };
    match duration(text) {
        Ok(Duration::ZERO) => Err("it must be longer than nothing"),
        Ok(time) => Ok(Some(time)),
        Err(help) => Err(help),
    }
}

fn annotation<'o>(object: &'o Object, name: &str) -> Result<Option<&'o str>, &'static str> {
    let annotations = object
        .value
        .get("metadata")
        .and_then(|it| it.get("annotations"));
    match annotations.and_then(|annotations| annotations.get(name)) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err("annotations are texts: quote the value"),
    }
}

/// The value is not repeated: it may come from a secret variable.
fn error(object: &Object, name: &str, help: &'static str) -> WaitingError {
    let path = FieldPath::new("metadata.annotations").key(name);
    let place = object.origin.place_of(&path);
    WaitingError {
        place: place.or_else(|| object.origin.place_of(&FieldPath::root())),
        message: format!("the annotation {name} of {} cannot be followed", object.key),
        help,
    }
}

/// A time, in seconds or with a unit: `90`, `90s`, `10m`, `1h`.
pub fn duration(text: &str) -> Result<Duration, &'static str> {
    let (number, unit) = match text.find(|c: char| !c.is_ascii_digit()) {
        Some(position) => text.split_at(position),
        None => (text, "s"),
    };
    let factor = match unit {
        "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3600),
        _ => None,
    };
    let (Some(factor), false) = (factor, number.is_empty()) else {
        return Err("write whole seconds, or a whole number with s, m or h, such as 10m");
    };
    number
        .parse()
        .ok()
        .and_then(|number: u64| number.checked_mul(factor))
        .map(Duration::from_secs)
        .filter(|duration| *duration <= LONGEST)
        .ok_or("the longest is 168h")
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use underpin_model::{Depth, Origin};

    use super::*;

    fn object(api_version: &str, kind: &str, annotations: &Value) -> Object {
        let value = json!({
            "apiVersion": api_version, "kind": kind,
            "metadata": {"name": "one", "annotations": annotations},
        });
        Object::from_value(value, Depth::Full, Origin::Live).unwrap()
    }

    #[track_caller]
    fn check(kind: &str, annotations: &Value, until: Until, seconds: Option<u64>, errors: usize) {
        let api_version = if kind == "Job" { "batch/v1" } else { "apps/v1" };
        let (found, problems) = waiting(&object(api_version, kind, annotations));
        let timeout = seconds.map(Duration::from_secs);
        assert_eq!(found, Waiting { until, timeout }, "{annotations}");
        assert_eq!(problems.len(), errors, "{problems:?}");
    }

    #[test]
    fn annotations_say_what_for_and_how_long() {
        let (wait, time) = (names::WAIT_ANNOTATION, names::WAIT_TIMEOUT_ANNOTATION);
        check("Deployment", &json!({}), Until::Ready, None, 0);
        check("Deployment", &json!({wait: "true"}), Until::Ready, None, 0);
        check(
            "Deployment",
            &json!({wait: "false"}),
            Until::Applied,
            None,
            0,
        );
        check("Job", &json!({wait: "complete"}), Until::Complete, None, 0);
        check(
            "Deployment",
            &json!({time: "10m"}),
            Until::Ready,
            Some(600),
            0,
        );
    }

    #[test]
    fn what_cannot_be_followed_is_reported() {
        let (wait, time) = (names::WAIT_ANNOTATION, names::WAIT_TIMEOUT_ANNOTATION);
        check(
            "Deployment",
            &json!({wait: "complete"}),
            Until::Ready,
            None,
            1,
        );
        check("Deployment", &json!({wait: false}), Until::Ready, None, 1);
        check("Deployment", &json!({time: 600}), Until::Ready, None, 1);
        check("Deployment", &json!({time: "0"}), Until::Ready, None, 1);
        check(
            "Job",
            &json!({wait: "yes", time: "10 m"}),
            Until::Ready,
            None,
            2,
        );
    }

    #[test]
    fn durations_are_read_with_and_without_a_unit() {
        for (text, expect) in [("90", 90), ("90s", 90), ("10m", 600), ("1h", 3600)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(expect)));
        }
        for text in [
            "",
            "s",
            "-1",
            "1.5",
            "1d",
            "169h",
            "18446744073709551615",
            "99999999999999999999h",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
