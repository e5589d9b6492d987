import accounts.models.base
import django.db.models.deletion
import django.utils.timezone
import lk_site.encryption
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('contenttypes', '0002_remove_content_type_name'),
    ]

    operations = [
        migrations.CreateModel(
            name='Agency',
            fields=[
                ('id', models.UUIDField(default=accounts.models.base.new_id, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(blank=True, max_length=100, verbose_name='name')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('closed_at', models.DateTimeField(editable=False, null=True)),
            ],
            options={
                'verbose_name': 'agency',
                'verbose_name_plural': 'agencies',
            },
        ),
        migrations.CreateModel(
            name='AgencyHead',
            fields=[
                ('agency_id', models.UUIDField(primary_key=True, serialize=False)),
                ('seq', models.BigIntegerField(default=0)),
                ('mac', models.BinaryField(default=b'', max_length=33)),
                ('anchored_seq', models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name='EventText',
            fields=[
                ('event_id', models.UUIDField(primary_key=True, serialize=False)),
                ('text', lk_site.encryption.EncryptedTextField(max_length=10000, null=True)),
                ('erased_at', models.DateTimeField(null=True)),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='User',
            fields=[
                ('version', models.PositiveIntegerField(default=1)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('updated_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('id', models.UUIDField(default=accounts.models.base.new_id, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('agent', 'agent'), ('staff', 'staff')], default='agent', editable=False, max_length=10)),
                ('role', models.CharField(choices=[('agent', 'agent'), ('head', 'head')], default='agent', max_length=10, verbose_name='role')),
                ('phone', lk_site.encryption.EncryptedTextField(max_length=15, null=True, verbose_name='phone')),
                ('phone_index', models.BinaryField(max_length=33, null=True)),
                ('name', lk_site.encryption.EncryptedTextField(max_length=100, null=True, verbose_name='name')),
                ('login', models.CharField(max_length=50, null=True, unique=True, verbose_name='login')),
                ('password', models.CharField(blank=True, max_length=128, verbose_name='password')),
                ('language', models.CharField(blank=True, max_length=5, verbose_name='language')),
                ('time_zone', models.CharField(default='Europe/Moscow', max_length=50, verbose_name='time zone')),
                ('theme', models.CharField(choices=[('system', 'as the device'), ('light', 'light'), ('dark', 'dark')], default='system', max_length=10, verbose_name='theme')),
                ('is_active', models.BooleanField(default=True, verbose_name='active')),
                ('consent_version', models.CharField(blank=True, editable=False, max_length=20)),
                ('logged_in_at', models.DateTimeField(editable=False, null=True)),
                ('agency', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='people', to='accounts.agency', verbose_name='agency')),
            ],
            options={
                'verbose_name': 'person',
                'verbose_name_plural': 'people',
            },
        ),
        migrations.CreateModel(
            name='Challenge',
            fields=[
                ('id', models.UUIDField(default=accounts.models.base.new_id, editable=False, primary_key=True, serialize=False)),
                ('token_hash', models.BinaryField(max_length=32, unique=True)),
                ('phone', lk_site.encryption.EncryptedTextField(max_length=15)),
                ('phone_index', models.BinaryField(max_length=33)),
                ('purpose', models.CharField(choices=[('login', 'login')], default='login', max_length=20)),
                ('device_id', models.UUIDField(null=True)),
                ('code_digest', models.BinaryField(max_length=33, null=True)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('sends', models.PositiveSmallIntegerField(default=0)),
                ('resend_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('expires_at', models.DateTimeField()),
                ('used_at', models.DateTimeField(null=True)),
            ],
            options={
                'indexes': [models.Index(models.F('phone_index'), models.F('expires_at'), name='challenge_open_of_phone'), models.Index(models.F('device_id'), models.F('expires_at'), condition=models.Q(('device_id__isnull', False)), name='challenge_open_of_device'), models.Index(models.F('expires_at'), name='challenge_sweep')],
                'constraints': [models.CheckConstraint(condition=models.Q(('attempts__lte', 5)), name='challenge_attempts_within_tries')],
            },
        ),
        migrations.CreateModel(
            name='ChangeRecord',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('object_pk', models.CharField(db_index=True, max_length=255, verbose_name='object pk')),
                ('object_id', models.BigIntegerField(blank=True, db_index=True, null=True, verbose_name='object id')),
                ('object_repr', models.TextField(verbose_name='object representation')),
                ('serialized_data', models.JSONField(null=True)),
                ('action', models.PositiveSmallIntegerField(choices=[(0, 'create'), (1, 'update'), (2, 'delete'), (3, 'access')], db_index=True, verbose_name='action')),
                ('changes_text', models.TextField(blank=True, verbose_name='change message')),
                ('changes', models.JSONField(null=True, verbose_name='change message')),
                ('cid', models.CharField(blank=True, db_index=True, max_length=255, null=True, verbose_name='Correlation ID')),
                ('remote_addr', models.GenericIPAddressField(blank=True, null=True, verbose_name='remote address')),
                ('remote_port', models.PositiveIntegerField(blank=True, null=True, verbose_name='remote port')),
                ('timestamp', models.DateTimeField(db_index=True, default=django.utils.timezone.now, verbose_name='timestamp')),
                ('additional_data', models.JSONField(blank=True, null=True, verbose_name='additional data')),
                ('actor_email', models.CharField(blank=True, max_length=254, null=True, verbose_name='actor email')),
                ('request_id', models.CharField(blank=True, max_length=32)),
                ('actor', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='actor')),
                ('content_type', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='contenttypes.contenttype', verbose_name='content type')),
            ],
            options={
                'verbose_name': 'change record',
                'verbose_name_plural': 'change records',
                'ordering': ['-timestamp'],
                'get_latest_by': 'timestamp',
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Consent',
            fields=[
                ('id', models.UUIDField(default=accounts.models.base.new_id, editable=False, primary_key=True, serialize=False)),
                ('document', models.CharField(max_length=30)),
                ('version', models.CharField(max_length=20)),
                ('language', models.CharField(max_length=5)),
                ('text_hash', models.CharField(max_length=64)),
                ('address', models.GenericIPAddressField(null=True)),
                ('given_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='consents', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'consent',
                'verbose_name_plural': 'consents',
            },
        ),
        migrations.CreateModel(
            name='Counter',
            fields=[
                ('key', models.BinaryField(max_length=33, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=50)),
                ('count', models.PositiveIntegerField(default=0)),
                ('window_ends_at', models.DateTimeField()),
                ('blocked_until', models.DateTimeField(null=True)),
                ('level', models.PositiveSmallIntegerField(default=0)),
            ],
            options={
                'indexes': [models.Index(models.F('window_ends_at'), name='counter_sweep')],
            },
        ),
        migrations.CreateModel(
            name='Event',
            fields=[
                ('id', models.UUIDField(default=accounts.models.base.new_id, editable=False, primary_key=True, serialize=False)),
                ('agency_id', models.UUIDField(verbose_name='agency')),
                ('seq', models.BigIntegerField(verbose_name='number')),
                ('at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='time')),
                ('action', models.CharField(choices=[('deal.created', 'created the deal'), ('deal.changed', 'changed the deal'), ('deal.moved', 'moved the deal'), ('deal.move_undone', 'undid the move'), ('deal.reopened', 'reopened the deal'), ('deal.handed_over', 'handed the deal over'), ('deal.trashed', 'moved the deal to the trash'), ('deal.restored', 'restored the deal'), ('deal.purged', 'the deal was purged from the trash'), ('note.added', 'added a note'), ('note.edited', 'edited a note'), ('note.deleted', 'deleted a note'), ('client.created', 'created the client'), ('client.changed', 'changed the client'), ('client.trashed', 'moved the client to the trash'), ('client.restored', 'restored the client'), ('client.purged', 'the client was purged from the trash'), ('client.handed_over', 'handed the client over'), ('client.looked_at', 'looked at the number'), ('client.revealed', 'revealed the number'), ('client.searched', 'searched by a number'), ('person.revealed', "revealed an agent's number"), ('pipeline.changed', 'changed a pipeline'), ('session.opened', 'logged in'), ('session.ended', 'ended a session'), ('login.failed', 'failed to log in'), ('code.sent', 'a code was sent'), ('sms.failed', 'a code could not be sent'), ('access.refused', 'was refused'), ('consent.given', 'gave consent'), ('profile.changed', 'changed the profile'), ('agency.opened', 'opened the agency'), ('agency.changed', 'changed the agency'), ('agency.closed', 'closed the agency'), ('agent.added', 'added an agent'), ('agent.changed', 'changed an agent'), ('agent.disabled', 'disabled an agent'), ('agent.enabled', 'enabled an agent'), ('role.changed', 'changed a role'), ('limits.cleared', 'cleared the counters'), ('range.lifted', 'lifted a stopped range'), ('staff.added', 'added a staff user'), ('staff.changed', 'changed a staff user'), ('staff.logged_in', 'logged in to the admin'), ('staff.login_failed', 'failed to log in to the admin'), ('admin.action', 'acted in the admin'), ('export.made', 'made an export'), ('key.made', 'made a key'), ('key.used', 'used a key'), ('key.revoked', 'revoked a key'), ('keys.rotated', 'rotated the keys'), ('person.erased', 'erased a person')], max_length=30, verbose_name='action')),
                ('actor_kind', models.CharField(max_length=10)),
                ('actor_id', models.UUIDField(null=True, verbose_name='actor')),
                ('address', models.GenericIPAddressField(null=True, verbose_name='address')),
                ('request_id', models.CharField(blank=True, max_length=32, verbose_name='request')),
                ('object_type', models.CharField(blank=True, max_length=20, verbose_name='object')),
                ('object_id', models.UUIDField(null=True, verbose_name='object id')),
                ('deal_id', models.UUIDField(null=True)),
                ('client_id', models.UUIDField(null=True)),
                ('version', models.PositiveIntegerField(null=True)),
                ('fields', models.JSONField(default=list)),
                ('data', models.JSONField(default=dict)),
                ('text_digest', models.BinaryField(max_length=33, null=True)),
                ('mac', models.BinaryField(max_length=33)),
            ],
            options={
                'verbose_name': 'audit event',
                'verbose_name_plural': 'audit events',
                'indexes': [models.Index(fields=['deal_id', '-seq'], name='event_deal_timeline'), models.Index(fields=['client_id', '-seq'], name='event_client_timeline'), models.Index(models.F('object_id'), models.F('version'), name='event_object_versions'), models.Index(fields=['actor_id', '-at'], name='event_actor'), models.Index(fields=['action', '-at'], name='event_action'), models.Index(fields=['-at'], name='event_newest')],
                'constraints': [models.UniqueConstraint(fields=('agency_id', 'seq'), name='event_agency_seq')],
            },
        ),
        migrations.CreateModel(
            name='IdempotencyKey',
            fields=[
                ('id', models.UUIDField(default=accounts.models.base.new_id, editable=False, primary_key=True, serialize=False)),
                ('scope', models.CharField(max_length=100)),
                ('key_digest', models.BinaryField(max_length=33)),
                ('request_digest', models.BinaryField(max_length=33)),
                ('status', models.PositiveSmallIntegerField(null=True)),
                ('body', lk_site.encryption.EncryptedTextField(max_length=262144, null=True)),
                ('headers', models.JSONField(default=dict)),
                ('object_type', models.CharField(blank=True, max_length=20)),
                ('object_id', models.UUIDField(null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='KeptForm',
            fields=[
                ('id', models.UUIDField(default=accounts.models.base.new_id, editable=False, primary_key=True, serialize=False)),
                ('token_hash', models.BinaryField(max_length=32)),
                ('path', models.CharField(max_length=300)),
                ('page', models.CharField(max_length=300)),
                ('body', lk_site.encryption.EncryptedTextField(max_length=1048576)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='KeyCanary',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('purpose', models.CharField(max_length=20)),
                ('key_id', models.PositiveSmallIntegerField()),
                ('token', models.BinaryField(max_length=200)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('purpose', 'key_id'), name='key_canary_once')],
            },
        ),
        migrations.CreateModel(
            name='Session',
            fields=[
                ('id', models.UUIDField(default=accounts.models.base.new_id, editable=False, primary_key=True, serialize=False)),
                ('key_hash', models.BinaryField(max_length=32, unique=True)),
                ('is_own_device', models.BooleanField(default=False)),
                ('data', lk_site.encryption.EncryptedTextField(default='', max_length=65536)),
                ('browser', models.CharField(blank=True, max_length=200)),
                ('address', models.GenericIPAddressField(null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('seen_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('idle_until', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(null=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sessions', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'session',
                'verbose_name_plural': 'sessions',
            },
        ),
        migrations.CreateModel(
            name='SmsMessage',
            fields=[
                ('id', models.UUIDField(default=accounts.models.base.new_id, editable=False, primary_key=True, serialize=False)),
                ('phone', lk_site.encryption.EncryptedTextField(max_length=15)),
                ('text', lk_site.encryption.EncryptedTextField(max_length=500, null=True)),
                ('challenge_id', models.UUIDField(null=True)),
                ('address', models.GenericIPAddressField(null=True)),
                ('state', models.CharField(choices=[('queued', 'queued'), ('sent', 'sent'), ('delivered', 'delivered'), ('failed', 'failed'), ('cancelled', 'cancelled')], default='queued', max_length=10, verbose_name='state')),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('due_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('useless_at', models.DateTimeField()),
                ('lease', models.UUIDField(null=True)),
                ('leased_until', models.DateTimeField(null=True)),
                ('gateway_id', models.CharField(blank=True, max_length=50)),
                ('gateway_status', models.PositiveSmallIntegerField(null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('settled_at', models.DateTimeField(null=True)),
            ],
            options={
                'verbose_name': 'SMS',
                'verbose_name_plural': 'SMS',
                'indexes': [models.Index(models.F('due_at'), condition=models.Q(('state', 'queued')), name='sms_due'), models.Index(models.F('challenge_id'), condition=models.Q(('state', 'queued')), name='sms_of_challenge'), models.Index(models.F('settled_at'), condition=models.Q(('state', 'sent')), name='sms_undelivered'), models.Index(fields=['-created_at'], name='sms_newest')],
            },
        ),
        migrations.CreateModel(
            name='StaffBackupCode',
            fields=[
                ('id', models.UUIDField(default=accounts.models.base.new_id, editable=False, primary_key=True, serialize=False)),
                ('digest', models.BinaryField(max_length=33)),
                ('used_at', models.DateTimeField(null=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='backup_codes', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'back-up code',
                'verbose_name_plural': 'back-up codes',
            },
        ),
        migrations.CreateModel(
            name='StaffTotp',
            fields=[
                ('id', models.UUIDField(default=accounts.models.base.new_id, editable=False, primary_key=True, serialize=False)),
                ('secret', lk_site.encryption.EncryptedTextField(max_length=64)),
                ('last_step', models.BigIntegerField(default=-1)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='totp', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'authenticator',
                'verbose_name_plural': 'authenticators',
            },
        ),
        migrations.AddIndex(
            model_name='user',
            index=models.Index(models.F('agency'), models.F('id'), name='user_agency_people'),
        ),
        migrations.AddConstraint(
            model_name='user',
            constraint=models.UniqueConstraint(models.F('phone_index'), name='user_phone_is_unique'),
        ),
        migrations.AddConstraint(
            model_name='user',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('agency__isnull', False), ('kind', 'agent'), ('login', None), ('password', ''), ('phone_index__isnull', False)), models.Q(('agency', None), ('kind', 'staff'), ('login__isnull', False), ('phone_index', None)), _connector='OR'), name='user_is_agent_or_staff'),
        ),
        migrations.AddIndex(
            model_name='changerecord',
            index=models.Index(fields=['content_type', 'object_pk', '-timestamp'], name='change_record_of_object'),
        ),
        migrations.AddConstraint(
            model_name='consent',
            constraint=models.UniqueConstraint(models.F('user'), models.F('document'), models.F('version'), name='consent_given_once'),
        ),
        migrations.AddIndex(
            model_name='idempotencykey',
            index=models.Index(models.F('created_at'), name='idempotency_sweep'),
        ),
        migrations.AddConstraint(
            model_name='idempotencykey',
            constraint=models.UniqueConstraint(models.F('user'), models.F('scope'), models.F('key_digest'), name='idempotency_key_once'),
        ),
        migrations.AddIndex(
            model_name='keptform',
            index=models.Index(models.F('created_at'), name='kept_form_sweep'),
        ),
        migrations.AddConstraint(
            model_name='keptform',
            constraint=models.UniqueConstraint(models.F('token_hash'), models.F('path'), name='kept_form_of_browser_once'),
        ),
        migrations.AddIndex(
            model_name='session',
            index=models.Index(fields=['user', '-seen_at'], name='session_user_devices'),
        ),
        migrations.AddIndex(
            model_name='session',
            index=models.Index(models.F('idle_until'), name='session_sweep_idle'),
        ),
        migrations.AddIndex(
            model_name='session',
            index=models.Index(models.F('expires_at'), name='session_sweep_expired'),
        ),
        migrations.AddIndex(
            model_name='session',
            index=models.Index(models.F('ended_at'), condition=models.Q(('ended_at__isnull', False)), name='session_sweep_ended'),
        ),
        migrations.AddConstraint(
            model_name='staffbackupcode',
            constraint=models.UniqueConstraint(models.F('user'), models.F('digest'), name='staff_backup_code_once'),
        ),
        migrations.AddConstraint(
            model_name='stafftotp',
            constraint=models.CheckConstraint(condition=models.Q(('last_step__gte', -1)), name='staff_totp_step_is_known'),
        ),
    ]
