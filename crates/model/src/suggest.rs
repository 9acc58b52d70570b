//! "Did you mean": the nearest known word to a misspelt one.

/// Words longer than this are not compared; the comparison is quadratic.
const MAX_CHARS: usize = 64;

/// The candidate nearest to `word`, if it is near enough to be a likely slip: at most a third of
/// the word's length in edits, ties decided by the candidates' order.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.to_lowercase().chars().collect();
    if word.len() > MAX_CHARS {
        return None;
    }
    let limit = (word.len() / 3).max(1);
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let lower: Vec<char> = candidate.to_lowercase().chars().collect();
            (lower.len() <= MAX_CHARS).then(|| (distance(&word, &lower), candidate))
        })
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance, a swap of neighbours counting as two.
fn distance(left: &[char], right: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, r) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(l != r);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

/// Words as a list for a sentence: `a`, `b`, `c`.
pub fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        let fields = ["environments", "sources", "limits"];
        assert_eq!(nearest("enviroments", fields), Some("environments"));
        assert_eq!(nearest("Source", fields), Some("sources"));
        assert_eq!(nearest("replicas", fields), None);
        assert_eq!(nearest(&"x".repeat(1000), fields), None);
    }
}
