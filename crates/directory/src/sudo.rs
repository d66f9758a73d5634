//! sudo rules: added, changed, removed.

use serde::Serialize;

use doorward_domain::id::SudoRuleId;
use doorward_domain::name::{GroupName, SudoRuleName, Username};
use doorward_domain::sudo::{
    SudoCommand, SudoHost, SudoOption, SudoRule, SudoRunAsGroup, SudoRunAsUser, SudoSubject,
    SudoTerms,
};
use doorward_domain::time::Timestamp;
use doorward_store::changes::{Change, SudoFilter};
use doorward_store::records::SudoRuleRecord;

use super::groups::check_description;
use super::view::{some_time, time};
use super::{By, Directory, DirectoryError, PAGE};
use doorward_domain::nearest::nearest;

/// For whom a rule is to be, by names that are still to be looked up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SudoSubjects {
    /// Everybody.
    pub everybody: bool,
    /// These users.
    pub users: Vec<String>,
    /// The members of these groups.
    pub groups: Vec<String>,
}

/// What a rule is to say; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SudoPatch {
    /// For whom.
    pub subjects: Option<SudoSubjects>,
    /// Where.
    pub hosts: Option<Vec<SudoHost>>,
    /// What.
    pub commands: Option<Vec<SudoCommand>>,
    /// As which users.
    pub run_as_users: Option<Vec<SudoRunAsUser>>,
    /// With which groups.
    pub run_as_groups: Option<Vec<SudoRunAsGroup>>,
    /// With which options.
    pub options: Option<Vec<SudoOption>>,
    /// Of two rules that fit, the one with the higher number holds.
    pub order: Option<Option<i32>>,
    /// From when on.
    pub not_before: Option<Option<Timestamp>>,
    /// Until when.
    pub not_after: Option<Option<Timestamp>>,
    /// What it is for.
    pub description: Option<Option<String>>,
}

/// A sudo rule as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SudoRuleView {
    /// The rule.
    pub id: SudoRuleId,
    /// Its name.
    pub name: SudoRuleName,
    /// What it is for.
    pub description: Option<String>,
    /// For everybody.
    pub all_users: bool,
    /// For these users.
    pub users: Vec<Username>,
    /// For the members of these groups.
    pub groups: Vec<GroupName>,
    /// Where.
    pub hosts: Vec<SudoHost>,
    /// What.
    pub commands: Vec<SudoCommand>,
    /// As which users; root where empty.
    pub run_as_users: Vec<SudoRunAsUser>,
    /// With which groups.
    pub run_as_groups: Vec<SudoRunAsGroup>,
    /// With which options.
    pub options: Vec<SudoOption>,
    /// Of two rules that fit, the one with the higher number holds.
    pub order: Option<i32>,
    /// From when on.
    #[serde(serialize_with = "time")]
    pub not_before: Option<Timestamp>,
    /// Until when.
    #[serde(serialize_with = "time")]
    pub not_after: Option<Timestamp>,
    /// When it was added.
    #[serde(serialize_with = "some_time")]
    pub created: Timestamp,
    /// When it, or the name of a user in it, changed.
    #[serde(serialize_with = "some_time")]
    pub modified: Timestamp,
}

impl From<SudoRuleRecord> for SudoRuleView {
    fn from(record: SudoRuleRecord) -> Self {
        let SudoRule {
            name,
            subjects,
            terms,
        } = record.rule;
        let mut view = Self {
            id: record.id,
            name,
            description: terms.description,
            all_users: false,
            users: Vec::new(),
            groups: Vec::new(),
            hosts: terms.hosts,
            commands: terms.commands,
            run_as_users: terms.run_as_users,
            run_as_groups: terms.run_as_groups,
            options: terms.options,
            order: terms.order,
            not_before: terms.not_before,
            not_after: terms.not_after,
            created: record.created,
            modified: record.modified,
        };
        for subject in subjects {
            match subject {
                SudoSubject::Everybody => view.all_users = true,
                SudoSubject::User(user) => view.users.push(user),
                SudoSubject::Group(group) => view.groups.push(group),
            }
        }
        view
    }
}

impl Directory {
    /// Adds a sudo rule.
    ///
    /// # Errors
    /// The name is taken, a user or group is not there, the values make no rule, the store cannot
    /// answer.
    pub async fn add_sudo_rule(
        &self,
        by: &By,
        name: SudoRuleName,
        patch: SudoPatch,
    ) -> Result<SudoRuleView, DirectoryError> {
        by.admin()?;
        let empty = SudoRule {
            name,
            subjects: Vec::new(),
            terms: SudoTerms::default(),
        };
        let rule = self.patched(&empty, patch).await?;
        let name = rule.name.clone();
        let id = SudoRuleId::new(by.now.wall);
        self.apply(by, Change::AddSudoRule { id, rule }).await?;
        self.sudo_rule(name.as_str()).await
    }

    /// Sets values of a sudo rule.
    ///
    /// # Errors
    /// No such rule, user or group, the values make no rule, somebody else changed it in between,
    /// the store cannot answer.
    pub async fn set_sudo_rule(
        &self,
        by: &By,
        name: &str,
        patch: SudoPatch,
    ) -> Result<SudoRuleView, DirectoryError> {
        by.admin()?;
        let before = self.sudo_rule_named(name).await?.rule;
        let after = self.patched(&before, patch).await?;
        let name = before.name.clone();
        let change = Change::SetSudoRule {
            before: Box::new(before),
            after: Box::new(after),
        };
        self.apply(by, change).await?;
        self.sudo_rule(name.as_str()).await
    }

    /// Removes a sudo rule.
    ///
    /// # Errors
    /// No such rule, the store cannot answer.
    pub async fn remove_sudo_rule(
        &self,
        by: &By,
        name: &str,
    ) -> Result<SudoRuleName, DirectoryError> {
        by.admin()?;
        let name = self.sudo_rule_named(name).await?.rule.name;
        let change = Change::RemoveSudoRule { name: name.clone() };
        self.apply(by, change).await?;
        Ok(name)
    }

    /// A sudo rule by name.
    ///
    /// # Errors
    /// No such rule, the store cannot answer.
    pub async fn sudo_rule(&self, name: &str) -> Result<SudoRuleView, DirectoryError> {
        self.sudo_rule_named(name).await.map(SudoRuleView::from)
    }

    /// All sudo rules, sorted by name.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn list_sudo_rules(&self) -> Result<Vec<SudoRuleView>, DirectoryError> {
        let mut rules: Vec<SudoRuleView> = self
            .all_sudo_rules()
            .await?
            .into_iter()
            .map(SudoRuleView::from)
            .collect();
        rules.sort_by_cached_key(|rule| rule.name.folded());
        Ok(rules)
    }

    async fn patched(&self, rule: &SudoRule, patch: SudoPatch) -> Result<SudoRule, DirectoryError> {
        fn put<T>(value: &mut T, patch: Option<T>) {
            if let Some(patch) = patch {
                *value = patch;
            }
        }
        fn put_all<T: PartialEq>(values: &mut Vec<T>, patch: Option<Vec<T>>) {
            if let Some(patch) = patch {
                values.clear();
                for value in patch {
                    if !values.contains(&value) {
                        values.push(value);
                    }
                }
            }
        }
        if let Some(Some(text)) = &patch.description {
            check_description(text)?;
        }
        let mut rule = rule.clone();
        if let Some(subjects) = patch.subjects {
            rule.subjects = self.subjects(&subjects).await?;
        }
        put_all(&mut rule.terms.hosts, patch.hosts);
        put_all(&mut rule.terms.commands, patch.commands);
        put_all(&mut rule.terms.run_as_users, patch.run_as_users);
        put_all(&mut rule.terms.run_as_groups, patch.run_as_groups);
        put_all(&mut rule.terms.options, patch.options);
        put(&mut rule.terms.order, patch.order);
        put(&mut rule.terms.not_before, patch.not_before);
        put(&mut rule.terms.not_after, patch.not_after);
        put(&mut rule.terms.description, patch.description);
        rule.check()?;
        Ok(rule)
    }

    /// The names as they are written in the store.
    async fn subjects(&self, names: &SudoSubjects) -> Result<Vec<SudoSubject>, DirectoryError> {
        let mut subjects = Vec::new();
        if names.everybody {
            subjects.push(SudoSubject::Everybody);
        }
        for name in &names.users {
            let subject = SudoSubject::User(self.user_named(name).await?.username);
            if subject.value().is_none() {
                return Err(DirectoryError::StandsForEverybody(name.clone()));
            }
            subjects.push(subject);
        }
        for name in &names.groups {
            subjects.push(SudoSubject::Group(self.group_named(name).await?.name));
        }
        subjects.sort();
        subjects.dedup();
        Ok(subjects)
    }

    async fn sudo_rule_named(&self, name: &str) -> Result<SudoRuleRecord, DirectoryError> {
        let filter = SudoFilter::Name(name.to_owned());
        let found = self.store.sudo_rules(&filter, None, 1).await?;
        if let Some(record) = found.into_iter().next() {
            return Ok(record);
        }
        let known = self.all_sudo_rules().await?;
        let known = known.iter().map(|record| record.rule.name.as_str());
        Err(DirectoryError::NotFound {
            kind: "sudo rule",
            name: name.to_owned(),
            nearest: nearest(name, known).map(str::to_owned),
        })
    }

    async fn all_sudo_rules(&self) -> Result<Vec<SudoRuleRecord>, DirectoryError> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let page = self.store.sudo_rules(&SudoFilter::All, after, PAGE).await?;
            let full = page.len() >= PAGE;
            after = page.last().map(|record| record.id);
            all.extend(page);
            if !full {
                return Ok(all);
            }
        }
    }
}
