//! What every store must do, run against each implementation, and what SQLite alone must do.

#[cfg(test)]
mod battery;
#[cfg(test)]
mod damage;
#[cfg(test)]
#[path = "../common/journal.rs"]
mod journal;
#[cfg(test)]
mod journals;
#[cfg(test)]
mod sqlite;
#[cfg(test)]
mod world;

/// Makes one test of every function named, against the store that `$make` gives.
macro_rules! run_battery {
    ($make:path; $($module:ident: $($test:ident),+ $(,)?;)+) => {
        $(
            mod $module {
                $(
                    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                    async fn $test() {
                        let fixture = $make();
                        crate::battery::$module::$test(&fixture).await;
                    }
                )+
            }
        )+
    };
}

#[cfg(test)]
mod on_sqlite {
    run_battery! {
        crate::sqlite::fixture;
        places:
            a_place_is_granted_until_the_threshold,
            a_place_given_back_is_free_again,
            another_epoch_is_told,
            an_account_that_is_gone_is_told,
            a_lapsed_place_is_free_and_still_counts_when_settled_late,
            parallel_takers_share_the_threshold,
            places_of_kinds_that_do_not_count_are_not_limited_by_the_threshold,
            the_daily_cap_limits_places_of_counting_kinds,
            the_daily_cap_slows_kinds_that_do_not_count,
            failures_of_kinds_that_do_not_count_lock_nothing_elsewhere,
            confirmed_failures_lock_at_the_next_place,
            random_interleavings_never_exceed_the_threshold;
        settling:
            wrong_passwords_lock_at_the_threshold,
            the_daily_cap_locks_whatever_succeeded,
            an_account_is_known_where_it_was_let_in,
            failures_outside_the_window_do_not_lock,
            failures_survive_a_clock_that_jumps_ahead_and_back,
            the_times_of_failures_are_those_that_are_counted,
            a_success_clears_its_own_origin_only,
            cleared_failures_count_toward_the_day,
            a_success_under_another_epoch_is_decided_anew,
            a_success_without_a_place_needs_the_epoch_too,
            a_wrong_password_without_a_place_counts_nothing,
            a_failure_of_a_place_voided_by_an_unlock_counts_nothing,
            a_failure_of_a_place_voided_by_a_reset_counts_nothing,
            a_failure_after_a_suspension_counts,
            what_is_given_back_counts_nothing_and_is_recorded,
            kinds_that_do_not_count_never_lock,
            a_lock_queues_its_mail_and_records_its_event,
            a_removed_account_settles_without_a_failure;
        provisional:
            a_provisional_failure_counts_and_does_not_lock,
            confirmed_as_wrong_it_locks,
            confirmed_as_stale_it_is_forgotten,
            never_confirmed_it_counts_once_lapsed,
            stale_mail_is_sent_once_a_day,
            confirmed_after_an_unlock_it_counts_nothing,
            confirmed_after_its_origin_succeeded_it_locks_nothing,
            confirmed_after_the_lock_it_extends_nothing;
        users:
            an_added_user_is_read_back_whole,
            names_and_addresses_are_unique_without_regard_to_case,
            a_login_is_looked_up_by_username_then_mail,
            numbers_are_never_used_again,
            fields_are_set_and_the_epoch_moves_with_standing_alone,
            a_password_is_set_and_voids_what_it_must,
            a_password_expected_at_another_epoch_is_refused,
            password_history_keeps_what_it_is_told,
            unlocking_leaves_expiry_alone,
            suspending_and_resuming_move_the_epoch,
            resuming_moves_a_past_end_away_and_keeps_a_later_one,
            expiring_sets_the_date,
            renaming_keeps_the_account,
            removing_takes_all_that_hangs_on_it,
            rehashing_replaces_the_same_hash_only,
            users_are_listed_by_every_filter_and_in_pages,
            what_is_missing_is_not_found,
            recent_failures_are_counted;
        network_passwords:
            one_is_kept_with_the_one_before_it,
            one_is_revoked_once,
            one_stands_apart_from_the_password_and_its_lock,
            one_goes_with_its_account;
        ssh_keys:
            keys_are_kept_in_order_and_leave_the_epoch_alone,
            a_key_is_kept_once_a_user,
            no_more_keys_than_may_be_are_kept,
            keys_go_with_their_user;
        sudo:
            a_rule_is_read_back_whole,
            a_rule_changes_only_from_what_was_read,
            names_follow_users_and_nobody_inherits_a_rule,
            what_a_rule_names_must_be_there,
            rules_are_found_by_every_filter_and_in_pages;
        reply:
            attributes_reach_users_by_themselves_and_by_nested_groups,
            what_is_set_takes_the_place_of_its_name_alone,
            what_is_unset_is_named_or_is_all,
            a_groups_priority_stays_unless_it_is_given,
            no_more_attributes_than_may_be_are_kept,
            attributes_go_with_whom_they_are_mapped_to;
        groups:
            users_of_nested_groups_are_members,
            cycles_are_refused,
            groups_nest_eight_levels_and_no_deeper,
            joining_and_leaving_twice_is_nothing_new,
            a_group_is_removed_with_what_hangs_on_it,
            groups_are_found_by_every_filter,
            the_primary_group_is_made_with_the_first_user,
            membership_marks_what_it_touches_as_modified;
        bindings:
            a_user_bound_directly_is_bound,
            a_user_bound_through_nested_groups_is_bound,
            unbinding_closes_at_once,
            the_path_names_the_groups_from_the_bound_one_down,
            bindings_are_listed_and_not_doubled;
        services:
            a_service_account_is_read_back,
            a_rotation_keeps_two_passwords_at_most,
            a_service_hash_is_replaced,
            a_removed_service_is_gone,
            a_certificate_binds_one_service;
        devices:
            a_device_is_kept_changed_and_removed,
            devices_come_in_pages;
        policy:
            the_default_policy_is_in_force_at_first,
            a_policy_follows_the_one_in_force,
            the_history_outlives_the_events,
            another_handle_sees_a_change_at_once;
        links:
            three_links_live_at_once,
            a_new_password_voids_links;
        events:
            changes_and_attempts_are_found_by_every_key,
            the_newest_are_given_in_order,
            following_misses_nothing_though_the_clock_goes_back,
            equal_refusals_merge_within_their_minute,
            equal_successes_are_one_event_with_its_count_and_times,
            no_flood_of_one_source_takes_a_row_an_attempt,
            names_that_nobody_has_are_one_event_a_source_and_minute,
            a_full_log_sheds_merged_successes_first,
            the_logs_size_follows_what_comes_and_goes,
            old_events_are_forgotten_in_portions,
            a_row_is_found_by_the_newest_that_it_stands_for,
            a_renamed_user_is_found_under_both_names,
            every_change_is_recorded_with_its_values,
            a_refused_command_leaves_nothing_behind;
        sessions:
            a_session_is_kept_from_start_to_stop,
            a_report_that_comes_again_changes_nothing,
            reports_out_of_order_reopen_nothing,
            a_session_whose_start_was_lost_is_kept_all_the_same,
            a_key_used_again_is_another_session,
            the_account_is_the_one_that_class_names,
            a_name_stands_for_its_account,
            a_restart_ends_what_began_before_it,
            a_silent_session_ends_and_may_come_back,
            sessions_are_found_by_every_key_and_in_pages,
            open_sessions_show_what_decides_about_them,
            a_session_of_a_device_is_no_accounts,
            a_disconnect_is_claimed_once_and_settled,
            what_a_client_brings_about_merges_and_is_shed_before_changes_by_people,
            what_was_ended_here_takes_the_last_word_of_its_client,
            old_sessions_are_forgotten_in_portions,
            what_is_kept_of_a_client_goes_the_oldest_first;
        demands:
            a_demand_is_taken_once_and_its_outcome_is_found,
            a_demand_of_a_session_that_is_over_or_long_ago_is_nobodys;
        lifecycle:
            the_cursor_moves_for_one_only,
            users_touched_by_time_are_found_span_by_span,
            touched_users_come_in_pages,
            mail_waits_in_order,
            the_same_mail_waits_once;
        whole:
            a_second_handle_sees_what_the_first_wrote,
            two_handles_share_one_threshold,
            the_directory_version_moves_with_every_change,
            a_probe_answers,
            many_commands_at_once_are_all_carried_out;
    }
}
