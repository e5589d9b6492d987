import accounts.models.base
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
import lk_site.encryption
from decimal import Decimal
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='DealCounter',
            fields=[
                ('agency', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='accounts.agency')),
                ('last_number', models.PositiveIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name='Client',
            fields=[
                ('version', models.PositiveIntegerField(default=1)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('updated_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('id', models.UUIDField(default=accounts.models.base.new_id, editable=False, primary_key=True, serialize=False)),
                ('name', lk_site.encryption.EncryptedTextField(max_length=200, null=True, verbose_name='name')),
                ('email', lk_site.encryption.EncryptedTextField(max_length=254, null=True, verbose_name='e-mail')),
                ('notes', lk_site.encryption.EncryptedTextField(max_length=5000, null=True, verbose_name='notes')),
                ('newest_deal_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('deleted_at', models.DateTimeField(null=True)),
                ('agency', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.agency', verbose_name='agency')),
                ('agent', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='agent')),
            ],
            options={
                'verbose_name': 'client',
                'verbose_name_plural': 'clients',
            },
        ),
        migrations.CreateModel(
            name='ClientPhone',
            fields=[
                ('id', models.UUIDField(default=accounts.models.base.new_id, editable=False, primary_key=True, serialize=False)),
                ('position', models.PositiveSmallIntegerField(default=0)),
                ('phone', lk_site.encryption.EncryptedTextField(max_length=15)),
                ('phone_index', models.BinaryField(max_length=33)),
                ('is_live', models.BooleanField(default=True)),
                ('agency', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.agency')),
                ('agent', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('client', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='phones', to='deals.client')),
            ],
            options={
                'verbose_name': "client's phone",
                'verbose_name_plural': "clients' phones",
                'ordering': ['position'],
            },
        ),
        migrations.CreateModel(
            name='ClientToken',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('token', models.BigIntegerField()),
                ('agency', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.agency')),
                ('client', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='deals.client')),
            ],
        ),
        migrations.CreateModel(
            name='Look',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('hour', models.DateTimeField()),
                ('client', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='deals.client')),
                ('user', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='LostReason',
            fields=[
                ('code', models.SlugField(db_index=False, max_length=30, verbose_name='code')),
                ('name_ru', models.CharField(max_length=50, verbose_name='name in Russian')),
                ('name_en', models.CharField(max_length=50, verbose_name='name in English')),
                ('position', models.PositiveSmallIntegerField(default=0, verbose_name='position')),
                ('id', models.UUIDField(default=accounts.models.base.new_id, editable=False, primary_key=True, serialize=False)),
                ('agency', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.agency', verbose_name='agency')),
            ],
            options={
                'verbose_name': 'lost reason',
                'verbose_name_plural': 'lost reasons',
                'ordering': ['position'],
            },
        ),
        migrations.CreateModel(
            name='Deal',
            fields=[
                ('version', models.PositiveIntegerField(default=1)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('updated_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('id', models.UUIDField(default=accounts.models.base.new_id, editable=False, primary_key=True, serialize=False)),
                ('number', models.PositiveIntegerField(editable=False, verbose_name='number')),
                ('kind', models.CharField(choices=[('sale', 'sale'), ('purchase', 'purchase'), ('let', 'letting'), ('rent', 'renting')], default='sale', max_length=10, verbose_name='kind')),
                ('property_type', models.CharField(blank=True, choices=[('flat', 'flat'), ('room', 'room'), ('house', 'house'), ('townhouse', 'townhouse'), ('land', 'land'), ('commercial', 'commercial property'), ('garage', 'garage or parking')], max_length=20, verbose_name='property')),
                ('property_address', models.CharField(max_length=300, verbose_name='address')),
                ('search_text', models.CharField(editable=False, max_length=900)),
                ('price', models.DecimalField(decimal_places=2, max_digits=14, validators=[django.core.validators.MinValueValidator(Decimal('0.01')), django.core.validators.MaxValueValidator(Decimal('999999999999.99'))], verbose_name='price')),
                ('commission_percent', models.DecimalField(decimal_places=2, max_digits=5, null=True, verbose_name='commission, %')),
                ('stage_since', models.DateTimeField(default=django.utils.timezone.now)),
                ('lost_comment', lk_site.encryption.EncryptedTextField(max_length=1000, null=True)),
                ('next_step_text', lk_site.encryption.EncryptedTextField(max_length=300, null=True, verbose_name='next step')),
                ('next_step_on', models.DateField(null=True, verbose_name='when')),
                ('notes', lk_site.encryption.EncryptedTextField(max_length=5000, null=True, verbose_name='notes')),
                ('deleted_at', models.DateTimeField(null=True)),
                ('agency', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.agency', verbose_name='agency')),
                ('agent', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='agent')),
                ('client', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='deals', to='deals.client', verbose_name='client')),
                ('lost_reason', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='deals.lostreason')),
            ],
            options={
                'verbose_name': 'deal',
                'verbose_name_plural': 'deals',
            },
        ),
        migrations.CreateModel(
            name='Note',
            fields=[
                ('id', models.UUIDField(default=accounts.models.base.new_id, editable=False, primary_key=True, serialize=False)),
                ('text_event_id', models.UUIDField()),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('edited_at', models.DateTimeField(null=True)),
                ('deleted_at', models.DateTimeField(null=True)),
                ('author', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('deal', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='note_entries', to='deals.deal')),
            ],
        ),
        migrations.CreateModel(
            name='Pipeline',
            fields=[
                ('code', models.SlugField(db_index=False, max_length=30, verbose_name='code')),
                ('name_ru', models.CharField(max_length=50, verbose_name='name in Russian')),
                ('name_en', models.CharField(max_length=50, verbose_name='name in English')),
                ('position', models.PositiveSmallIntegerField(default=0, verbose_name='position')),
                ('id', models.UUIDField(default=accounts.models.base.new_id, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('sale', 'sale'), ('purchase', 'purchase'), ('let', 'letting'), ('rent', 'renting')], max_length=10, verbose_name='kind of deal')),
                ('agency', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.agency', verbose_name='agency')),
            ],
            options={
                'verbose_name': 'pipeline',
                'verbose_name_plural': 'pipelines',
                'ordering': ['position'],
            },
        ),
        migrations.CreateModel(
            name='Search',
            fields=[
                ('id', models.UUIDField(default=accounts.models.base.new_id, editable=False, primary_key=True, serialize=False)),
                ('session_id', models.UUIDField()),
                ('text', lk_site.encryption.EncryptedTextField(max_length=200)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('user', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='Stage',
            fields=[
                ('code', models.SlugField(db_index=False, max_length=30, verbose_name='code')),
                ('name_ru', models.CharField(max_length=50, verbose_name='name in Russian')),
                ('name_en', models.CharField(max_length=50, verbose_name='name in English')),
                ('position', models.PositiveSmallIntegerField(default=0, verbose_name='position')),
                ('id', models.UUIDField(default=accounts.models.base.new_id, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('open', 'open'), ('won', 'won'), ('lost', 'lost')], default='open', max_length=10, verbose_name='kind')),
                ('pipeline', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='stages', to='deals.pipeline', verbose_name='pipeline')),
            ],
            options={
                'verbose_name': 'stage',
                'verbose_name_plural': 'stages',
                'ordering': ['position'],
            },
        ),
        migrations.AddField(
            model_name='deal',
            name='stage',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='deals.stage', verbose_name='stage'),
        ),
        migrations.AddIndex(
            model_name='client',
            index=models.Index(models.F('agent'), models.OrderBy(models.F('newest_deal_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='client_list_of_agent'),
        ),
        migrations.AddIndex(
            model_name='client',
            index=models.Index(models.F('agency'), models.OrderBy(models.F('newest_deal_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='client_list_of_agency'),
        ),
        migrations.AddIndex(
            model_name='client',
            index=models.Index(models.F('agency'), models.OrderBy(models.F('newest_deal_at'), descending=True), models.OrderBy(models.F('id'), descending=True), condition=models.Q(('deleted_at__isnull', False)), name='client_list_of_trash'),
        ),
        migrations.AddIndex(
            model_name='client',
            index=models.Index(models.F('deleted_at'), condition=models.Q(('deleted_at__isnull', False)), name='client_sweep_trash'),
        ),
        migrations.AddIndex(
            model_name='clientphone',
            index=models.Index(models.F('agency'), models.F('phone_index'), name='client_phone_search'),
        ),
        migrations.AddConstraint(
            model_name='clientphone',
            constraint=models.UniqueConstraint(models.F('client'), models.F('position'), name='client_phone_position'),
        ),
        migrations.AddConstraint(
            model_name='clientphone',
            constraint=models.UniqueConstraint(models.F('agent'), models.F('phone_index'), condition=models.Q(('is_live', True)), name='client_phone_of_agent_once'),
        ),
        migrations.AddIndex(
            model_name='clienttoken',
            index=models.Index(models.F('client'), name='client_token_of_client'),
        ),
        migrations.AddConstraint(
            model_name='clienttoken',
            constraint=models.UniqueConstraint(models.F('agency'), models.F('token'), models.F('client'), name='client_token_search'),
        ),
        migrations.AddIndex(
            model_name='look',
            index=models.Index(models.F('hour'), name='look_sweep'),
        ),
        migrations.AddConstraint(
            model_name='look',
            constraint=models.UniqueConstraint(models.F('client'), models.F('user'), models.F('hour'), name='look_once_an_hour'),
        ),
        migrations.AddConstraint(
            model_name='lostreason',
            constraint=models.UniqueConstraint(models.F('agency'), models.F('code'), name='lost_reason_code_in_agency'),
        ),
        migrations.AddIndex(
            model_name='note',
            index=models.Index(models.F('deal'), name='note_of_deal'),
        ),
        migrations.AddConstraint(
            model_name='pipeline',
            constraint=models.UniqueConstraint(models.F('agency'), models.F('kind'), name='pipeline_of_each_kind_once'),
        ),
        migrations.AddConstraint(
            model_name='pipeline',
            constraint=models.UniqueConstraint(models.F('agency'), models.F('code'), name='pipeline_code_in_agency'),
        ),
        migrations.AddIndex(
            model_name='search',
            index=models.Index(models.F('created_at'), name='search_sweep'),
        ),
        migrations.AddConstraint(
            model_name='stage',
            constraint=models.UniqueConstraint(models.F('pipeline'), models.F('code'), name='stage_code_in_pipeline'),
        ),
        migrations.AddIndex(
            model_name='deal',
            index=models.Index(models.F('agent'), models.OrderBy(models.F('created_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='deal_list_of_agent'),
        ),
        migrations.AddIndex(
            model_name='deal',
            index=models.Index(models.F('agency'), models.OrderBy(models.F('created_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='deal_list_of_agency'),
        ),
        migrations.AddIndex(
            model_name='deal',
            index=models.Index(models.F('client'), models.OrderBy(models.F('created_at'), descending=True), name='deal_list_of_client'),
        ),
        migrations.AddIndex(
            model_name='deal',
            index=models.Index(models.F('stage'), models.OrderBy(models.F('created_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='deal_list_of_stage'),
        ),
        migrations.AddIndex(
            model_name='deal',
            index=models.Index(models.F('agency'), models.OrderBy(models.F('created_at'), descending=True), models.OrderBy(models.F('id'), descending=True), condition=models.Q(('deleted_at__isnull', False)), name='deal_list_of_trash'),
        ),
        migrations.AddIndex(
            model_name='deal',
            index=models.Index(models.F('deleted_at'), condition=models.Q(('deleted_at__isnull', False)), name='deal_sweep_trash'),
        ),
        migrations.AddConstraint(
            model_name='deal',
            constraint=models.UniqueConstraint(models.F('agency'), models.F('number'), name='deal_number_in_agency'),
        ),
        migrations.AddConstraint(
            model_name='deal',
            constraint=models.CheckConstraint(condition=models.Q(('price__gte', Decimal('0.01')), ('price__lte', Decimal('999999999999.99'))), name='deal_price_in_range'),
        ),
        migrations.AddConstraint(
            model_name='deal',
            constraint=models.CheckConstraint(condition=models.Q(('commission_percent', None), models.Q(('commission_percent__gte', 0), ('commission_percent__lte', Decimal('100'))), _connector='OR'), name='deal_commission_in_range'),
        ),
    ]
