//! Groups: added, joined, left, removed.

use doorward_domain::id::GroupId;
use doorward_domain::name::{GroupName, Username};
use doorward_store::changes::{Change, GroupFilter, UserFilter};
use doorward_store::records::GroupRecord;

use super::reading::is_bound;
use super::users::{check_number, mail_closes};
use super::{By, Directory, DirectoryError, Done, GroupView, PAGE, Warning};
use doorward_domain::nearest::nearest;

impl Directory {
    /// Adds a group.
    ///
    /// # Errors
    /// The name or number is taken or refused, the store cannot answer.
    pub async fn add_group(
        &self,
        by: &By,
        name: GroupName,
        gid_number: Option<u32>,
        description: Option<String>,
    ) -> Result<GroupView, DirectoryError> {
        by.admin()?;
        if let Some(number) = gid_number {
            check_number("gid_number", number)?;
        }
        if let Some(text) = &description {
            check_description(text)?;
        }
        let change = Change::AddGroup {
            group: GroupId::new(by.now.wall),
            name: name.clone(),
            gid_number,
            description,
        };
        self.apply(by, change).await?;
        self.group(name.as_str()).await
    }

    /// A group by name.
    ///
    /// # Errors
    /// No such group, the store cannot answer.
    pub async fn group(&self, name: &str) -> Result<GroupView, DirectoryError> {
        self.group_named(name).await.map(GroupView::from)
    }

    /// All groups, sorted by name.
    ///
    /// # Errors
    /// The store cannot answer.
    pub async fn list_groups(&self) -> Result<Vec<GroupView>, DirectoryError> {
        let mut groups: Vec<GroupView> = self
            .all_groups()
            .await?
            .into_iter()
            .map(GroupView::from)
            .collect();
        groups.sort_by_cached_key(|group| group.name.folded());
        Ok(groups)
    }

    /// Adds users and groups to a group, all of them or none.
    ///
    /// # Errors
    /// No such group or member, a cycle, more than eight levels, the store cannot answer.
    pub async fn join(
        &self,
        by: &By,
        group: &str,
        users: &[String],
        groups: &[String],
    ) -> Result<Done<GroupView>, DirectoryError> {
        by.admin()?;
        let (group, users, groups) = self.members(group, users, groups).await?;
        let change = Change::Join {
            group: group.clone(),
            users: users.clone(),
            groups: groups.clone(),
        };
        self.apply(by, change).await?;
        let settings = self.settings();
        let joined = |name: &Username| !groups.is_empty() || users.contains(name);
        let warnings: Vec<Warning> = self
            .all_users(&UserFilter::MemberOf(group.to_string()))
            .await?
            .iter()
            .filter(|record| joined(&record.username))
            .filter_map(|record| {
                mail_closes(&settings, record, |resource| is_bound(record, resource))
            })
            .collect();
        Ok(Done {
            value: self.group(group.as_str()).await?,
            warnings,
        })
    }

    /// Takes users and groups out of a group, all of them or none.
    ///
    /// # Errors
    /// No such group or member, the store cannot answer.
    pub async fn leave(
        &self,
        by: &By,
        group: &str,
        users: &[String],
        groups: &[String],
    ) -> Result<GroupView, DirectoryError> {
        by.admin()?;
        let (group, users, groups) = self.members(group, users, groups).await?;
        let change = Change::Leave {
            group: group.clone(),
            users,
            groups,
        };
        self.apply(by, change).await?;
        self.group(group.as_str()).await
    }

    /// Removes a group and what hangs on it; not the primary group of anybody.
    ///
    /// # Errors
    /// No such group, it is a primary group, the store cannot answer.
    pub async fn remove_group(&self, by: &By, name: &str) -> Result<GroupName, DirectoryError> {
        by.admin()?;
        let record = self.group_named(name).await?;
        let users = self.all_users(&UserFilter::All).await?;
        if users
            .iter()
            .any(|user| user.gid_number == record.gid_number)
        {
            return Err(DirectoryError::PrimaryGroup(record.name));
        }
        let change = Change::RemoveGroup {
            name: record.name.clone(),
        };
        self.apply(by, change).await?;
        Ok(record.name)
    }

    /// The names as they are written in the store.
    async fn members(
        &self,
        group: &str,
        users: &[String],
        groups: &[String],
    ) -> Result<(GroupName, Vec<Username>, Vec<GroupName>), DirectoryError> {
        let group = self.group_named(group).await?.name;
        let mut found_users = Vec::with_capacity(users.len());
        for name in users {
            found_users.push(self.user_named(name).await?.username);
        }
        let mut found_groups = Vec::with_capacity(groups.len());
        for name in groups {
            found_groups.push(self.group_named(name).await?.name);
        }
        Ok((group, found_users, found_groups))
    }

    pub(super) async fn group_named(&self, name: &str) -> Result<GroupRecord, DirectoryError> {
        let filter = GroupFilter::Name(name.to_owned());
        if let Some(record) = self
            .store
            .groups(&filter, None, 1)
            .await?
            .into_iter()
            .next()
        {
            return Ok(record);
        }
        let known = self.all_groups().await?;
        let known = known.iter().map(|record| record.name.as_str());
        Err(DirectoryError::NotFound {
            kind: "group",
            name: name.to_owned(),
            nearest: nearest(name, known).map(str::to_owned),
        })
    }

    async fn all_groups(&self) -> Result<Vec<GroupRecord>, DirectoryError> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let page = self.store.groups(&GroupFilter::All, after, PAGE).await?;
            let full = page.len() >= PAGE;
            after = page.last().map(|record| record.group);
            all.extend(page);
            if !full {
                return Ok(all);
            }
        }
    }
}

/// Refuses descriptions that would not stay on a line.
pub(super) fn check_description(text: &str) -> Result<(), DirectoryError> {
    if text.len() > 1024 || text.chars().any(char::is_control) {
        return Err(DirectoryError::BadValue {
            field: "description",
            value: text.to_owned(),
            expected: "up to 1024 bytes without control characters",
        });
    }
    Ok(())
}
