"""The requirements of security.md, sentence by sentence, and the tests that hold LK to each.

`pytest -k security_1_2` runs the tests of requirement 1.2. A test is named by its function, wherever it stands.
"""

TABLE = """
0 each number stands once, in one table of settings
    test_0_every_limit_is_the_number_of_the_requirements
0 the tests of a requirement are found by its number
    test_0_is_found_by_its_number
0 only local mode scales the limits
    test_in_public_nothing_scales_the_limits

1.1 six digits, zeros kept
    test_a_new_code_has_six_digits_and_its_zeros
1.1 lives 300 s
    test_a_code_lives_five_minutes
1.1 single use
    test_50_parallel_right_codes_open_one_session
    test_refusals_have_one_body
1.1 bound to a challenge of 128 bits in a cookie of its own
    test_1_1_a_challenge_is_128_random_bits
    test_a_code_opens_nothing_in_another_browser
1.1 bound to phone and purpose
    test_1_1_a_code_is_stored_as_a_digest_of_challenge_purpose_and_phone
    test_a_code_to_log_in_with_confirms_nothing
    test_a_code_to_confirm_with_logs_nobody_in
1.1 a new code kills the old one of its challenge
    test_a_new_code_kills_the_old_one_of_its_challenge
1.1 three open challenges a phone, and nobody kills another's
    test_a_phone_has_three_open_challenges_and_nobody_kills_a_code_of_another_browser
1.1 an HMAC with a pepper outside the database
    test_a_code_phone_or_token_stands_nowhere_in_clear
    test_1_1_a_code_is_stored_as_a_digest_of_challenge_purpose_and_phone
1.1 deleted after 24 h
    test_codes_are_deleted_a_day_after_they_were_made

1.2 five tries a code, counted by one conditional update
    test_200_parallel_guesses_get_exactly_five_looks
    test_200_parallel_guesses_at_the_door_get_exactly_five_looks
    test_a_phone_gets_no_more_looks_through_many_browsers
1.2 ten failures an hour a phone, then 15 min doubling to 4 h
    test_ten_failures_lock_a_phone_for_15_minutes_then_30_60_120_and_240
    test_failures_are_forgotten_after_an_hour
1.2 twenty failures per 10 min a source
    test_a_source_gets_twenty_failures_in_ten_minutes
    test_a_source_gets_twenty_looks_for_all_phones
1.2 a device cookie stands outside source limits
    test_strangers_cannot_lock_an_agent_out_of_a_browser_that_he_has_used
1.2 office networks have fifty times as much
    test_a_named_office_has_fifty_times_the_limits_of_a_source
1.2 50 right codes open one session
    test_50_parallel_right_codes_open_one_session
1.2 a refused try is counted and recorded although it raises
    test_a_refused_try_is_counted_although_it_raises
    test_refused_tries_leave_one_event_for_each_source
1.2 a success clears only its phone's counter
    test_a_success_clears_the_failures_of_its_phone

1.3 60, 120, 300, 600 s between sends
    test_a_phone_waits_60_120_and_300_seconds_between_codes
    test_a_browser_is_told_to_wait_60_120_300_and_600_seconds_whatever_is_sent
1.3 3 per 10 min, 5 an hour, 10 a day
    test_a_phone_gets_three_codes_in_ten_minutes_five_an_hour_ten_a_day
1.3 a source 10 an hour, 30 a day; an IPv6 /64 is one
    test_a_source_gets_ten_codes_an_hour_and_thirty_a_day_for_unknown_phones
    test_an_ipv6_network_of_64_bits_is_one_source
1.3 a /24 or /48 60 an hour
    test_a_neighbourhood_gets_sixty_codes_an_hour_for_unknown_phones
1.3 300 an hour and 2,000 a day for unknown phones
    test_unknown_phones_get_300_codes_an_hour_in_all
    test_0_every_limit_is_the_number_of_the_requirements
1.3 more than ten numbers of a range stop it for a day
    test_more_than_ten_numbers_of_a_range_stop_it_for_a_day
    test_one_number_many_times_does_not_stop_its_range
1.3 known phones are outside of them
    test_an_office_of_known_agents_passes_behind_one_address
1.3 known phones share two a day for each agent
    test_known_phones_share_a_budget_of_two_a_day_for_each_agent
1.3 staff clear a phone and lift a range, audited
    test_staff_lift_a_range_and_clear_a_phone
    test_staff_free_a_phone_of_its_limits
1.3 exact with many at once
    test_parallel_requests_for_a_phone_send_one_code
    test_parallel_resends_of_a_browser_send_one_code

1.4 a signed device cookie without the phone
    test_a_forged_device_cookie_is_no_device_cookie
    test_a_device_cookie_is_worth_nothing_for_another_phone
    test_a_code_phone_or_token_stands_nowhere_in_clear
1.4 strangers lock nobody out of a browser he has used
    test_strangers_cannot_lock_an_agent_out_of_a_browser_that_he_has_used
    test_failures_in_a_known_browser_do_not_lock_the_phone
1.4 a locked phone answers the same 400
    test_1_4_a_locked_phone_answers_as_a_wrong_code_does

1.5 counters outlive the caches and are exact
    test_counters_outlive_the_caches
    test_of_200_at_once_exactly_three_pass
1.5 throttles count in Redis or in memory
    test_redis_counts_exactly
    test_memory_counts_exactly_within_a_process
    test_without_redis_memory_takes_over_and_no_limit_fails_open
1.5 a throttle on a read writes nothing
    test_1_5_reading_writes_nothing

1.6 the same 202, headers and body for every phone
    test_every_phone_gets_the_same_answer
    test_every_phone_is_asked_for_its_code_and_told_the_same_of_a_wrong_one
1.6 429 comes from the throttle alone, which counts all alike
    test_1_6_only_the_throttle_says_too_often
1.6 a browser with the device cookie is told the real limit
    test_a_browser_that_the_phone_has_used_is_told_its_limit
    test_a_known_browser_has_limits_of_its_own_and_is_told_them
1.6 no SMS is sent in the request
    test_a_message_walks_to_its_phone
    test_a_message_of_a_rolled_back_transaction_is_never_sent

1.7 an unknown phone opens an agency of one
    test_the_first_code_of_an_unknown_phone_opens_an_agency_of_one
    test_50_parallel_first_codes_of_one_phone_open_one_agency
1.7 closed: the same 202 and no SMS
    test_without_sign_up_unknown_phones_get_no_sms
    test_every_phone_gets_the_same_answer
1.7 name and consent on one page, unticked, with a way out
    test_a_newcomer_gives_name_and_consent_on_one_page
    test_without_name_or_tick_nothing_is_taken

1.8 one segment, nobody's name, WebOTP
    test_the_sms_is_one_segment_names_nobody_and_ends_with_the_line_for_the_browser
1.8 autocomplete and inputmode
    test_1_8_the_field_of_the_code_asks_for_the_right_keys
    test_the_phone_offers_the_code_and_the_right_keys

1.9 DEBUG is off always
    test_in_public_nothing_scales_the_limits
1.9 local mode serves this machine alone
    test_local_mode_serves_one_machine_and_nobody_else
1.9 what only local mode may do is refused in public
    test_public_mode_needs_what_it_serves_with
    test_the_command_refuses_outside_of_local_mode
    test_the_demo_refuses_anything_but_local_mode

2.1 cookies
    test_cookies_and_transport_in_production
    test_every_cookie_belongs_to_this_host_and_goes_over_tls_only
2.1 the store keeps a hash of the id
    test_the_table_keeps_a_hash_of_the_id_and_never_the_id
2.1 last seen at most once a minute
    test_last_seen_is_written_at_most_once_a_minute
2.1 a new id at login and step-up
    test_who_is_logged_in_and_logs_in_again_leaves_the_session_he_had
    test_the_session_gets_a_new_id_and_the_old_one_is_out
2.1 logout
    test_logout_deletes_the_session_and_clears_what_the_browser_kept
    test_a_program_logs_out

2.2 idle and whole life, from stored times
    test_an_agents_session_ends_when_idle_and_after_its_life
2.2 a list of devices: end one, end all others
    test_a_lost_phone_is_ended_from_another_device
    test_all_others_are_ended_at_once
2.2 ten at most
    test_the_eleventh_session_ends_the_oldest
2.2 disabling ends sessions and keys at once
    test_disabling_a_person_ends_sessions_at_once
    test_a_disabled_agent_has_no_session_however_fast_he_logs_in
    test_a_key_of_a_closed_agency_opens_nothing

2.3 agent or staff, by constraint
    test_2_3_a_person_is_an_agent_or_staff_and_the_database_says_so
2.3 the admin's own cookie and session
    test_a_staff_session_idles_15_minutes_and_lives_8_hours
    test_the_admins_cookie_opens_nothing_for_agents_and_the_agents_none_of_the_admin
2.3 five failures
    test_after_five_failures_even_the_right_proof_is_refused
    test_a_source_has_five_failures_over_all_accounts
    test_parallel_guesses_get_five_looks
2.3 a step of TOTP once, ten back-up codes
    test_a_time_step_opens_once
    test_a_back_up_code_opens_once
    test_2_3_staff_have_ten_back_up_codes
2.3 a command for a lost authenticator
    test_a_lost_authenticator_is_replaced
2.3 staff are anonymous elsewhere
    test_staff_are_anonymous_on_agents_pages_and_in_the_api

2.4 a fresh code within 5 minutes
    test_a_fresh_code_confirms_the_session
    test_a_confirmation_lives_five_minutes
2.4 asked for before a key is made or rotated, and before an export
    test_making_editing_and_rotating_need_a_fresh_code_and_revoking_does_not
    test_2_4_a_fresh_code_opens_what_the_head_alone_may_and_nothing_more

2.5 CSRF on every unsafe request of a cookie
    test_without_a_token_nothing_is_done
    test_a_code_is_not_taken_without_a_csrf_token
    test_a_login_form_of_another_site_logs_nobody_in
2.5 another site changes nothing
    test_for_another_site_nothing_is_done_token_or_not
2.5 nothing changes on GET or HEAD
    test_nothing_changes_by_asking
    test_following_every_link_changes_nothing

2.6 the policy of pages, of data, and every other header, on every answer
    test_every_answer_of_every_route_has_them
    test_every_refusal_has_them
    test_static_files_have_them
    test_pages_of_nginx_have_the_headers_of_every_answer
2.6 HSTS under TLS
    test_transport_security_is_said_under_tls_only
    test_cookies_and_transport_in_production
2.6 no inline style or script, no third-party host
    test_a_template_holds_structure_and_no_style_or_script
    test_every_answer_of_every_route_has_them
2.6 the Observatory gives 115 at least
    test_the_observatory_gives_every_page_115_at_least
2.6 check --deploy is clean
    test_2_6_check_deploy_is_clean_and_what_is_silenced_has_its_reason

2.7 exactly the trusted hops are believed
    test_nobody_is_believed_by_default
    test_exactly_the_trusted_hops_are_believed
    test_a_forged_x_forwarded_for_moves_nobody
    test_what_a_client_claims_of_where_it_comes_from_is_overwritten

2.8 a form comes back filled and not sent
    test_a_form_posted_into_an_ended_session_comes_back_filled_and_not_sent
    test_what_is_kept_is_sealed
    test_it_is_kept_for_an_hour
2.8 to that person and browser alone
    test_another_person_never_sees_it
    test_anyone_elses_login_deletes_it
    test_another_browser_of_the_same_person_does_not_see_it
2.8 a failure of CSRF shows it with a fresh token
    test_a_form_with_an_old_token_is_shown_filled_with_a_fresh_one_and_not_sent
2.8 a fragment is sent to the login
    test_a_fragment_gets_401_and_moves_the_whole_page
    test_a_fragment_is_sent_to_the_login_and_kept
2.8 ended rows are kept a day
    test_an_ended_session_still_tells_whose_it_was_for_a_day

3.1 what is personal or free text is encrypted
    test_3_1_every_column_that_holds_text_in_the_clear_is_named_here
3.1 __str__ is kind and number
    test_3_1_a_row_is_called_by_its_kind_and_number
3.1 text of the outbox is erased
    test_a_message_is_sent_once_and_its_text_erased

3.2 a ciphertext moved elsewhere does not open
    test_a_token_opens_only_in_its_own_row_and_column
    test_two_tokens_of_one_text_differ
3.2 keys outside the database, one a purpose, derived for each column
    test_a_file_that_others_may_touch_is_refused
    test_no_purpose_borrows_anothers_key_and_none_is_unknown
    test_each_column_has_a_key_of_its_own_that_is_derived_once
3.2 a wrong or missing key refuses to start
    test_keys_of_another_database_are_refused
    test_one_wrong_key_is_enough
    test_a_key_that_is_missing_from_its_ring_is_refused
3.2 the unreadable is shown as such, logged, never overwritten
    test_an_unreadable_value_is_never_overwritten
    test_an_unreadable_value_says_so_in_the_readers_language_and_is_logged_without_content

3.3 indexes for each column and agency
    test_another_agency_column_or_value_has_another_index
    test_another_purpose_or_key_has_another_index
3.3 last four digits and names through short ones
    test_a_number_is_found_by_its_last_four_digits
    test_a_name_is_found_by_the_beginning_of_any_word_and_by_a_short_word
    test_a_token_that_another_name_shares_finds_nothing
3.3 encrypted columns are never sorted by
    test_queries_that_would_sort_compute_or_overwrite_are_refused

3.4 the first key encrypts, all decrypt
    test_the_first_key_encrypts_and_rings_follow_overridden_settings
    test_another_key_opens_nothing_and_an_older_one_still_does
3.4 rotated online, resumable, compare and swap
    test_four_writers_with_either_key_and_a_rotator_killed_twice_lose_nothing
    test_a_value_that_was_changed_meanwhile_is_not_overwritten
3.4 generate, show, rotate, verify, retire
    test_a_new_key_stands_last_and_encrypts_nothing
    test_status_shows_what_stands_under_each_key_and_never_a_key
    test_after_a_rotation_nothing_stands_under_the_old_key_and_all_is_read_and_found
    test_verify_names_what_cannot_be_read_and_ends_with_status_1
    test_a_key_is_retired_once_nothing_needs_it

3.5 nothing in the dump, logs, caches
    test_nothing_of_a_day_is_found_in_the_dump_the_logs_the_caches_or_the_metrics
    test_the_search_for_marks_finds_them
3.5 no log holds a query string
    test_what_cannot_be_read_leaves_nothing_of_it_in_the_log
    test_the_log_holds_no_address_path_or_query_and_joins_with_ours

4 the table
    test_everybody_gets_what_the_table_says
    test_the_table_says_who_may_what
    test_a_note_is_edited_and_deleted_by_its_author_only
4 every route, and none that nobody listed
    test_every_route_stands_in_the_table
    test_every_operation_for_keys_stands_in_the_table
    test_no_route_but_the_api_knows_a_key
4 keys within their scopes
    test_a_key_does_what_its_scope_opens_and_nothing_else
    test_another_agencys_key_finds_what_is_absent
4 foreign and absent are the same bytes
    test_foreign_and_absent_answer_the_same_bytes
4 numbers: a look, a reveal, a mask
    test_the_head_sees_masks_everywhere
    test_above_the_looks_of_an_hour_the_own_agent_does_too
    test_a_key_sees_masks_and_reveals_by_its_own_scope
    test_a_reveal_needs_a_reason_and_stands_in_the_timeline
4 undo, reopen, hand over
    test_a_move_is_undone_within_ten_minutes
    test_only_the_head_reopens_and_says_why
    test_only_the_head_hands_over
4 whose client it becomes
    test_a_client_without_other_deals_moves_with_his_notes
    test_the_new_agents_own_client_takes_the_deal
    test_a_client_whom_the_old_agent_still_works_for_is_copied_without_notes
4 a client of each agent
    test_the_same_person_is_another_client_for_each_agent
    test_agents_of_one_agency_never_get_one_number_twice
    test_no_colleague_is_told_that_a_number_is_known
4 the trash
    test_a_trashed_deal_is_nowhere_but_in_the_trash
    test_a_restored_client_clashes_with_who_has_the_number_now
    test_the_trash_is_purged_after_thirty_days_and_the_evidence_stays
    test_a_client_with_deals_stays_and_one_with_trashed_deals_may_go
4 the last head
    test_the_last_head_is_neither_demoted_nor_disabled
    test_the_last_two_heads_cannot_both_go
4 who moves to another agency
    test_an_agent_alone_without_work_moves_and_his_agency_is_closed
    test_an_agent_alone_who_holds_work_stays
    test_a_phone_of_another_agencys_agent_is_refused
4 one choke point
    test_4_no_door_reads_deals_or_clients_past_the_choke_point

5.1 an event of every kind
    test_5_1_every_kind_of_event_is_recorded_somewhere
5.1 in the transaction of the change
    test_a_rollback_leaves_no_evidence
    test_evidence_is_written_after_everything_else
5.1 who, what, from where, names of fields and the version
    test_an_event_says_who_did_what_to_which_object_from_where
    test_a_change_tells_its_fields_and_the_version_it_made
5.1 failures counted where nobody is signed in; refusals once an hour
    test_a_failed_login_of_nobody_is_recorded_once_per_source
    test_a_refusal_is_recorded_once_per_object_and_hour
5.1 nothing personal inside
    test_an_event_carries_codes_only
    test_equal_texts_have_different_digests

5.2 no UPDATE, DELETE, TRUNCATE
    test_no_row_of_evidence_is_changed_or_deleted
    test_no_table_of_evidence_is_truncated
    test_no_event_is_replaced

5.3 numbered without gaps in commit order
    test_eight_writers_with_rollbacks_leave_no_gap_and_stand_in_commit_order
5.3 edit, deletion, swap, insertion are found
    test_an_edit_of_any_column_is_found
    test_a_deletion_is_found
    test_a_swap_is_found
    test_an_insertion_is_found
5.3 anchors reveal a cut tail
    test_a_cut_tail_is_found_and_only_by_the_anchor
5.3 texts are sealed and blanked
    test_a_text_stands_sealed_in_a_row_of_its_own
    test_an_erased_text_leaves_its_event_and_the_chain_whole
    test_a_deleted_note_leaves_its_trace_and_none_of_its_texts
5.3 the timeline shows no looks
    test_hand_overs_name_both_agents_and_reveals_are_told_but_looks_are_not

5.4 names of fields, never values
    test_a_change_record_names_fields_and_holds_no_value
    test_no_value_of_a_person_or_an_agency_stands_in_the_table

5.5 JSON lines with the request id and no person
    test_the_line_of_a_request_names_its_route_and_no_person
    test_a_line_break_stays_inside_its_line
    test_an_exception_is_logged_by_kind_and_place_without_its_message

6 sizes
    test_a_body_of_a_mebibyte_and_one_byte_is_too_large
    test_a_body_over_a_megabyte_is_refused_in_the_readers_form
6 depth, duplicates, numbers, text
    test_no_operation_takes_a_broken_body
    test_twenty_levels_are_accepted
    test_what_no_field_can_mean_is_refused_where_it_stands
    test_hidden_and_broken_characters_are_refused
    test_no_field_of_the_api_takes_what_it_cannot_mean
    test_no_line_of_a_form_takes_what_cannot_be_stored
6 NFC
    test_text_and_names_arrive_in_nfc
    test_space_around_goes_and_letters_are_composed
6 never a 5xx, never a trace
    test_no_query_breaks_an_address
    test_no_path_breaks_anything
    test_no_header_breaks_anything
    test_no_form_takes_a_broken_body
    test_every_answer_to_nobody_is_declared

7 a key 60 a minute, 120 at once
    test_a_key_that_hammers_is_refused_alone
    test_0_every_limit_is_the_number_of_the_requirements
7 a person, a source, searches
    test_a_person_is_counted_wherever_he_asks_from
    test_a_source_is_counted_where_nobody_is_signed_in
    test_searches_have_a_limit_of_their_own
7 looks and reveals 60 an hour
    test_above_sixty_looks_an_hour_the_detail_comes_masked
    test_reveals_of_a_key_are_sixty_an_hour
    test_reveals_are_counted_with_looks
7 exports 3 a day
    test_7_an_export_is_made_three_times_a_day

8 a worker killed during a create
    test_a_worker_killed_in_the_middle_doubles_and_loses_nothing
    test_a_worker_killed_while_it_sends_loses_nothing
8 twenty posts with one key
    test_twenty_parallel_posts_with_one_key_make_one_object
    test_of_a_form_sent_six_times_at_once_one_makes_a_key_and_shows_it
8 two people editing one deal
    test_two_tabs_editing_one_deal_lose_neither_value
    test_the_second_of_two_tabs_sees_both_values_and_loses_neither
8 a gateway that is slow, fails, lies, accepts twice
    test_a_slow_or_absent_server_is_worth_another_try
    test_an_accepted_request_with_a_refused_phone_is_refused
    test_a_repeated_text_on_a_second_try_means_that_the_first_arrived
    test_a_gateway_that_is_down_is_asked_until_the_code_dies
8 Redis gone or flushed
    test_without_redis_memory_takes_over_and_no_limit_fails_open
    test_redis_that_comes_back_is_asked_again
    test_counters_outlive_the_caches
8 disk full
    test_a_full_disk_leaves_nothing
    test_a_disk_that_is_full_leaves_the_old_file
8 a clock that steps
    test_a_clock_that_steps_back_ends_no_session
    test_a_clock_that_is_set_back_over_a_month_breaks_no_chain
8 keys rotated under load
    test_four_writers_with_either_key_and_a_rotator_killed_twice_lose_nothing
8 restart and crash of PostgreSQL under load
    test_a_restart_of_the_database_loses_nothing
    test_a_crash_of_a_process_of_the_database_loses_nothing
    test_a_database_that_crashes_loses_nothing
8 SIGHUP under load
    test_sighup_under_load_renews_without_a_refusal
    test_no_request_fails_while_the_server_is_renewed
8 slow clients
    test_three_hundred_slow_clients_keep_nobody_waiting
    test_who_reads_slowly_holds_no_thread_of_the_application
8 everybody at once
    test_whatever_happens_at_once_every_rule_holds_afterwards
8 without a database, 503 with Retry-After
    test_a_page_without_a_database_is_503
    test_a_read_outlives_a_restart_of_the_server
"""


def requirements() -> dict[str, list[str]]:
    """Return the names of the tests of each requirement, by its number."""
    found: dict[str, list[str]] = {}
    number = ""
    for line in filter(None, TABLE.splitlines()):
        if line.startswith(" "):
            found[number].append(line.strip())
        else:
            number = line.split()[0]
            found.setdefault(number, [])
    return found


def words_of() -> dict[str, set[str]]:
    """Return, for each test that is named here, the words by which `pytest -k` finds it: `security_1_2`."""
    found: dict[str, set[str]] = {}
    for number, names in requirements().items():
        for name in names:
            found.setdefault(name, set()).add(f"security_{number.replace('.', '_')}")
    return found
