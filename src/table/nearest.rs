//! The nearest of the names there are: for the sentence about one that there is not.

/// The candidate that `name` was probably meant to be; none when nothing is near.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    let distance = |candidate: &str| {
        let candidate = candidate.to_lowercase();
        // A schema that was written by only one of both.
        let same_but_for_schema = [(&wanted, &candidate), (&candidate, &wanted)]
            .iter()
            .any(|(bare, full)| !bare.contains('.') && full.rsplit_once('.').is_some_and(|(_, last)| last == bare.as_str()));
        if same_but_for_schema { 1 } else { strsim::damerau_levenshtein(&wanted, &candidate) }
    };
    candidates
        .into_iter()
        .map(|candidate| (distance(candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + name.chars().count().min(candidate.chars().count()) / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// ` (did you mean X?)`, or nothing.
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, candidates).map(|candidate| format!(" (did you mean {candidate:?}?)")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_name_and_a_stranger_finds_none() {
        let names = ["customer", "mctm_module", "voipdb_customer"];
        for (wrong, meant) in [("custmer", Some("customer")), ("Customer", Some("customer")), ("mctm_modlue", Some("mctm_module"))] {
            assert_eq!(nearest(wrong, names), meant, "{wrong}");
        }
        assert_eq!(nearest("orders", names), None);
        for (wrong, meant) in [("findings", "public.findings"), ("public.assets", "assets")] {
            assert_eq!(nearest(wrong, ["other", "public.findings", "assets"]), Some(meant), "{wrong}");
        }
        assert_eq!(did_you_mean("custmer", names), " (did you mean \"customer\"?)");
    }
}
