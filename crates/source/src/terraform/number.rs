//! Numbers: whole ones exactly, others as binary fractions.

use std::cmp::Ordering;

/// A number. Terraform computes with 512 bits; what Kubernetes takes fits here.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    /// A whole number.
    Whole(i64),
    /// Any other finite number, and whole ones beyond 64 bits.
    Fraction(f64),
}

/// Up to here every whole number is a binary fraction of its own.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl Number {
    /// The number, unless it is infinite or none.
    pub(super) fn from_f64(value: f64) -> Option<Self> {
        if !value.is_finite() {
            return None;
        }
        if value.fract() == 0.0 && value.abs() <= EXACT {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "whole and within the bounds"
            )]
            return Some(Self::Whole(value as i64));
        }
        Some(Self::Fraction(value))
    }

    /// Decimal digits with fraction and exponent, nothing else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Ok(whole) = text.parse() {
            return Some(Self::Whole(whole));
        }
        let plausible = text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
        if !plausible {
            return None;
        }
        text.parse().ok().and_then(Self::from_f64)
    }

    #[expect(clippy::cast_precision_loss, reason = "asked for as a fraction")]
    pub(super) fn as_f64(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Fraction(fraction) => fraction,
        }
    }

    /// The whole number, if it is one of 64 bits.
    pub(super) fn as_whole(self) -> Option<i64> {
        match self {
            Self::Whole(whole) => Some(whole),
            Self::Fraction(_) => None,
        }
    }

    /// The number as an index or a count.
    pub(super) fn as_index(self) -> Option<usize> {
        usize::try_from(self.as_whole()?).ok()
    }

    pub(super) fn add(self, other: Self) -> Option<Self> {
        self.combine(other, i64::checked_add, |left, right| left + right)
    }

    pub(super) fn subtract(self, other: Self) -> Option<Self> {
        self.combine(other, i64::checked_sub, |left, right| left - right)
    }

    pub(super) fn multiply(self, other: Self) -> Option<Self> {
        self.combine(other, i64::checked_mul, |left, right| left * right)
    }

    /// `None` for a division by zero.
    pub(super) fn divide(self, other: Self) -> Option<Self> {
        let exact = |left: i64, right: i64| {
            (left.checked_rem(right)? == 0).then(|| left.checked_div(right))?
        };
        self.combine(other, exact, |left, right| left / right)
    }

    /// `None` for a division by zero.
    pub(super) fn remainder(self, other: Self) -> Option<Self> {
        self.combine(other, i64::checked_rem, |left, right| left % right)
    }

    fn combine(
        self,
        other: Self,
        whole: impl Fn(i64, i64) -> Option<i64>,
        fraction: impl Fn(f64, f64) -> f64,
    ) -> Option<Self> {
        if let (Self::Whole(left), Self::Whole(right)) = (self, other)
            && let Some(result) = whole(left, right)
        {
            return Some(Self::Whole(result));
        }
        Self::from_f64(fraction(self.as_f64(), other.as_f64()))
    }

    pub(super) fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Whole(left), Self::Whole(right)) => left.cmp(&right),
            _ => self.as_f64().total_cmp(&other.as_f64()),
        }
    }

    pub(super) fn to_json(self) -> serde_json::Value {
        match self {
            Self::Whole(whole) => whole.into(),
            Self::Fraction(fraction) => fraction.into(),
        }
    }
}

/// Digits without an exponent, as Terraform writes numbers into texts.
impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole(whole) => write!(f, "{whole}"),
            Self::Fraction(fraction) => write!(f, "{fraction}"),
        }
    }
}
