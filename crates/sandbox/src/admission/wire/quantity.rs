//! Quantities: `1500m`, `2Gi`, `1e3`.
//!
//! Source: Kubernetes API reference, `resource.Quantity`: canonical form has no fraction, the
//! largest possible exponent, and the suffix family of what was written.

/// Why something is no quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QuantityError {
    /// It does not have the form of one.
    #[error(
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    )]
    Form,
    /// The suffix is none.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

/// Digits beyond which a number is not converted but capped.
const DIGITS_LIMIT: usize = 30;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Binary,
    Decimal,
    Exponent,
}

/// An amount: nano units, enough for every number the API takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quantity {
    nano: i128,
    format: Format,
}

const NANO: i128 = 1_000_000_000;
/// The greatest absolute value: 2⁶³−1, as Kubernetes caps it.
const CAP: i128 = i64::MAX as i128 * NANO;

const DECIMAL: [(&str, i32); 10] = [
    ("n", -9),
    ("u", -6),
    ("m", -3),
    ("", 0),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
];
const BINARY: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

impl Quantity {
    /// Reads one; numbers finer than a nano unit are rounded away from zero.
    pub(crate) fn parse(text: &str) -> Result<Self, QuantityError> {
        let digits_end = text
            .char_indices()
            .find(|&(at, c)| !(c.is_ascii_digit() || c == '.' || at == 0 && (c == '+' || c == '-')))
            .map_or(text.len(), |(at, _)| at);
        let (number, suffix) = text.split_at(digits_end);
        let negative = number.starts_with('-');
        let number = number.trim_start_matches(['+', '-']);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
            return Err(QuantityError::Form);
        }
        let (factor, format) = factor(suffix)?;
        let amount = scaled(whole, fraction, factor);
        Ok(Self {
            nano: if negative { -amount } else { amount },
            format,
        })
    }

    /// The canonical form.
    pub(crate) fn canonical(self) -> String {
        if self.nano == 0 {
            return "0".to_owned();
        }
        let sign = if self.nano < 0 { "-" } else { "" };
        let amount = self.nano.abs();
        match self.format {
            Format::Binary if amount % NANO == 0 && amount >= 1024 * NANO => {
                let (mut value, mut power) = (amount / NANO, 0);
                while value % 1024 == 0 && power < BINARY.len() {
                    value /= 1024;
                    power += 1;
                }
                let suffix = power.checked_sub(1).map_or("", |at| BINARY[at]);
                format!("{sign}{value}{suffix}")
            }
            Format::Binary | Format::Decimal => {
                let (value, exponent) = thousands(amount);
                let found = DECIMAL.iter().find(|(_, known)| *known == exponent);
                format!("{sign}{value}{}", found.map_or("", |(suffix, _)| suffix))
            }
            Format::Exponent => match thousands(amount) {
                (value, 0) => format!("{sign}{value}"),
                (value, exponent) => format!("{sign}{value}e{exponent}"),
            },
        }
    }

    /// Rounded up to thousandths, as resource lists are.
    pub(crate) fn rounded_to_milli(self) -> Self {
        const STEP: i128 = NANO / 1000;
        let rest = self.nano.rem_euclid(STEP);
        if rest == 0 {
            return self;
        }
        Self {
            nano: self.nano - rest + STEP,
            ..self
        }
    }

    /// In billionths of a unit.
    pub(crate) fn nano(self) -> i128 {
        self.nano
    }

    /// Whether it is a whole number.
    pub(crate) fn is_whole(self) -> bool {
        self.nano % NANO == 0
    }
}

/// The largest power of a thousand that leaves no fraction: value and decimal exponent.
fn thousands(nano: i128) -> (i128, i32) {
    let (mut value, mut exponent) = (nano, -9);
    while value % 1000 == 0 && exponent < 18 {
        value /= 1000;
        exponent += 3;
    }
    (value, exponent)
}

/// What a suffix multiplies by, in nano units, as numerator and denominator.
fn factor(suffix: &str) -> Result<((i128, i128), Format), QuantityError> {
    if let Some(at) = BINARY.iter().position(|known| *known == suffix) {
        let power = u32::try_from(at + 1).unwrap_or_default();
        return Ok(((1024_i128.pow(power) * NANO, 1), Format::Binary));
    }
    if let Some((_, exponent)) = DECIMAL.iter().find(|(known, _)| *known == suffix) {
        return Ok((power_of_ten(exponent + 9), Format::Decimal));
    }
    let exponent = suffix.strip_prefix(['e', 'E']).ok_or_else(|| {
        let known = suffix
            .trim_end_matches(|c: char| c.is_ascii_digit())
            .trim_end_matches(['+', '-']);
        if known.chars().all(|c| "eEinumkKMGTP".contains(c)) {
            QuantityError::Suffix
        } else {
            QuantityError::Form
        }
    })?;
    let exponent: i32 = exponent.parse().map_err(|_| QuantityError::Suffix)?;
    Ok((power_of_ten(exponent.saturating_add(9)), Format::Exponent))
}

fn power_of_ten(exponent: i32) -> (i128, i128) {
    // Beyond this everything is capped or rounded anyway.
    let power = 10_i128.pow(exponent.unsigned_abs().min(28));
    if exponent < 0 { (1, power) } else { (power, 1) }
}

fn scaled(whole: &str, fraction: &str, (numerator, denominator): (i128, i128)) -> i128 {
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    if whole.len() > DIGITS_LIMIT {
        return CAP;
    }
    let fraction = fraction
        .get(..fraction.len().min(DIGITS_LIMIT - 10))
        .unwrap_or_default();
    let digits = format!("{whole}{fraction}");
    let value: i128 = match digits.parse() {
        Ok(value) => value,
        Err(_) if digits.is_empty() => 0,
        Err(_) => return CAP,
    };
    let places = u32::try_from(fraction.len()).unwrap_or_default();
    let Some(denominator) = 10_i128
        .checked_pow(places)
        .and_then(|p| p.checked_mul(denominator))
    else {
        return i128::from(value != 0);
    };
    match value.checked_mul(numerator) {
        // Rounded away from zero.
        Some(product) => (product / denominator + i128::from(product % denominator != 0)).min(CAP),
        None => (value / denominator).saturating_mul(numerator).min(CAP),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let canonical = Quantity::parse(text).map(Quantity::canonical);
        assert_eq!(canonical.as_deref(), Ok(expected), "{text}");
    }

    #[test]
    fn canonical_forms() {
        for (text, expected) in [
            ("1000m", "1"),
            ("0.5", "500m"),
            ("1500m", "1500m"),
            ("1.5Gi", "1536Mi"),
            ("1024Mi", "1Gi"),
            ("1000Ki", "1000Ki"),
            ("1024", "1024"),
            ("1000", "1k"),
            ("1e3", "1e3"),
            ("12e-3", "12e-3"),
            ("100k", "100k"),
            ("0.1Gi", "107374182400m"),
            ("0", "0"),
            ("0Mi", "0"),
            ("-1", "-1"),
            ("+1", "1"),
            ("1.", "1"),
            (".5", "500m"),
            ("0.0000000001", "1n"),
            ("512Ki", "512Ki"),
            ("0.5Ki", "512"),
            ("99999999999999999999999999999999", "9223372036854775807"),
        ] {
            check(text, expected);
        }
    }

    #[test]
    fn what_is_none() {
        assert_eq!(Quantity::parse(""), Err(QuantityError::Form));
        assert_eq!(Quantity::parse("x"), Err(QuantityError::Form));
        assert_eq!(Quantity::parse("1 Gi"), Err(QuantityError::Form));
        assert_eq!(Quantity::parse("1.2.3"), Err(QuantityError::Form));
        assert_eq!(Quantity::parse("1KM"), Err(QuantityError::Suffix));
        assert_eq!(Quantity::parse("1mm"), Err(QuantityError::Suffix));
    }

    proptest::proptest! {
        #[test]
        fn the_canonical_form_is_its_own(number in 0_u64..1_000_000_000, suffix in "(n|u|m||k|M|G|Ki|Mi|Gi|e3|e-3)") {
            let first = Quantity::parse(&format!("{number}{suffix}")).unwrap();
            let again = Quantity::parse(&first.canonical()).unwrap();
            proptest::prop_assert_eq!(again.nano(), first.nano());
            proptest::prop_assert_eq!(again.canonical(), first.canonical());
        }

        #[test]
        fn nothing_panics(text in ".{0,40}") {
            let _ = Quantity::parse(&text).map(Quantity::canonical);
        }
    }
}
