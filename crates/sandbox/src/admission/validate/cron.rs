//! Schedules: five fields, or a name such as `@daily`.

/// What is wrong with a schedule, in the words of the server's parser; `None` if nothing.
pub(super) fn problem(schedule: &str) -> Option<String> {
    const LIMITS: [(u32, u32, &[&str]); 5] = [
        (0, 59, &[]),
        (0, 23, &[]),
        (1, 31, &[]),
        (
            1,
            12,
            &[
                "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
            ],
        ),
        (0, 6, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
    ];
    let schedule = match schedule
        .strip_prefix("TZ=")
        .or(schedule.strip_prefix("CRON_TZ="))
    {
        Some(_) => {
            return Some(
                "cannot use TZ or CRON_TZ in schedule, use timeZone field instead".to_owned(),
            );
        }
        None => schedule.trim(),
    };
    if let Some(name) = schedule.strip_prefix('@') {
        let known = [
            "yearly", "annually", "monthly", "weekly", "daily", "midnight", "hourly",
        ];
        let every = name
            .strip_prefix("every ")
            .is_some_and(|pause| !pause.is_empty());
        let is_known = known.contains(&name) || every;
        return (!is_known).then(|| format!("unrecognized descriptor: {schedule}"));
    }
    let fields: Vec<&str> = schedule.split_whitespace().collect();
    if fields.len() != 5 {
        let found = fields.len();
        return Some(
            format!("expected exactly 5 fields, found {found}: {fields:?}")
                .replace("\", \"", " ")
                .replace(['"'], ""),
        );
    }
    fields
        .iter()
        .zip(LIMITS)
        .find_map(|(field, limits)| field.split(',').find_map(|part| range(part, limits)))
}

/// What is wrong with one range such as `1-5/2`.
fn range(part: &str, (least, most, names): (u32, u32, &[&str])) -> Option<String> {
    let (range, step) = part
        .split_once('/')
        .map_or((part, None), |(range, step)| (range, Some(step)));
    if let Some(step) = step {
        match step.parse::<u32>() {
            Ok(0) => return Some(format!("step of range should be a positive number: {part}")),
            Ok(_) => {}
            Err(_) => return Some(unreadable(step)),
        }
    }
    if matches!(range, "*" | "?") {
        return None;
    }
    let number = |text: &str| {
        let name = names
            .iter()
            .position(|name| text.eq_ignore_ascii_case(name));
        let base = least.min(1);
        name.and_then(|at| u32::try_from(at).ok())
            .map(|at| at + base)
            .or_else(|| text.parse().ok())
    };
    let (begin, end) = range.split_once('-').unwrap_or((range, range));
    let Some(first) = number(begin) else {
        return Some(unreadable(begin));
    };
    let Some(last) = number(end) else {
        return Some(unreadable(end));
    };
    if first < least {
        return Some(format!(
            "beginning of range ({first}) below minimum ({least}): {part}"
        ));
    }
    if last > most {
        return Some(format!(
            "end of range ({last}) above maximum ({most}): {part}"
        ));
    }
    (first > last)
        .then(|| format!("beginning of range ({first}) beyond end of range ({last}): {part}"))
}

fn unreadable(text: &str) -> String {
    format!("failed to parse int from {text}: strconv.Atoi: parsing {text:?}: invalid syntax")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(schedule: &str, expected: Option<&str>) {
        assert_eq!(problem(schedule).as_deref(), expected, "{schedule}");
    }

    #[test]
    fn schedules() {
        check("*/5 * * * *", None);
        check("0 0 1-5 JAN,feb mon-fri", None);
        check("@daily", None);
        check("@every 1h", None);
        check("@never", Some("unrecognized descriptor: @never"));
        check("* * *", Some("expected exactly 5 fields, found 3: [* * *]"));
        check(
            "60 * * * *",
            Some("end of range (60) above maximum (59): 60"),
        );
        check(
            "a * * * *",
            Some("failed to parse int from a: strconv.Atoi: parsing \"a\": invalid syntax"),
        );
    }
}
