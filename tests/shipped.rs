//! Every file in `conf/` is sound by the rules on choosing a resource too, which the configuration
//! itself does not know (CONTRACT.md 4).

use std::fs;
use std::path::Path;

use doorward::config::Config;
use doorward::runtime::assemble::check_resources;

#[test]
fn no_shipped_file_lets_a_lenient_resource_be_chosen_from_outside() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf");
    let mut read = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let config = Config::load(&path).unwrap_or_else(|errors| panic!("{errors}"));
        let checked = check_resources(&config);
        assert!(checked.is_ok(), "{}: {checked:?}", path.display());
        read += 1;
    }
    assert!(read >= 4);
}
