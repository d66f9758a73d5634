//! Every file in `conf/` is sound by the rules on choosing a resource too, which the configuration
//! itself does not know (CONTRACT.md 4).

use std::fs;
use std::path::Path;

use doorward::config::Config;
use doorward::policy::asking::{ListenerFacts, Resources, check};

#[test]
fn no_shipped_file_lets_a_lenient_resource_be_chosen_from_outside() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf");
    let mut read = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let config = Config::load(&path).unwrap_or_else(|errors| panic!("{errors}"));
        let listeners: Vec<ListenerFacts> = config
            .listeners()
            .into_iter()
            .map(|listener| ListenerFacts {
                name: listener.name,
                loopback_only: listener.loopback,
                unix: false,
                has_sources: !listener.sources.is_empty(),
            })
            .collect();
        let resources = Resources::new(config.resources());
        let complaints = check(&resources, &listeners, &config.clients());
        assert!(complaints.is_empty(), "{}: {complaints:?}", path.display());
        read += 1;
    }
    assert!(read >= 4);
}
