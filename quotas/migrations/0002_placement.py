import django.core.validators
import quotas.validators
from decimal import Decimal
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ('quotas', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='resourceprofile',
            name='cpu_overcommit',
            field=models.DecimalField(decimal_places=2, default=Decimal('1'), help_text='A session reserves its CPU divided by this. 1 reserves all of it.', max_digits=5, validators=[django.core.validators.MinValueValidator(1)], verbose_name='CPU overcommit'),
        ),
        migrations.AddField(
            model_name='resourceprofile',
            name='gpu_resource',
            field=models.CharField(default='nvidia.com/gpu', help_text='What the cluster calls a GPU.', max_length=317, validators=[quotas.validators.resource_name], verbose_name='GPU resource'),
        ),
        migrations.AddField(
            model_name='resourceprofile',
            name='memory_overcommit',
            field=models.DecimalField(decimal_places=2, default=Decimal('1'), help_text='A session reserves its memory divided by this. Above 1, sessions can be ended when their machine runs out of memory.', max_digits=5, validators=[django.core.validators.MinValueValidator(1)]),
        ),
        migrations.AddField(
            model_name='resourceprofile',
            name='node_selector',
            field=models.JSONField(blank=True, default=dict, help_text='Labels that a node must have: {"pool": "notebooks"}.', validators=[quotas.validators.labels]),
        ),
        migrations.AddField(
            model_name='resourceprofile',
            name='pod_patch',
            field=models.JSONField(blank=True, default=dict, help_text='What is added to the pod: labels, annotations, env, volumes, volumeMounts, sidecars.', validators=[quotas.validators.pod_patch]),
        ),
        migrations.AddField(
            model_name='resourceprofile',
            name='preferred_nodes',
            field=models.JSONField(blank=True, default=dict, help_text='Labels of nodes to take first; others do as well.', validators=[quotas.validators.labels]),
        ),
        migrations.AddField(
            model_name='resourceprofile',
            name='priority_class',
            field=models.CharField(blank=True, help_text="A PriorityClass of the cluster. None: the cluster's default.", max_length=253, validators=[quotas.validators.dns_subdomain]),
        ),
        migrations.AddField(
            model_name='resourceprofile',
            name='service_account',
            field=models.CharField(blank=True, help_text='A ServiceAccount whose token its sessions get, with all its rights. None: no token.', max_length=253, validators=[quotas.validators.service_account]),
        ),
        migrations.AddField(
            model_name='resourceprofile',
            name='shared_memory_mib',
            field=models.PositiveIntegerField(default=64, help_text='The size of /dev/shm. What is in it counts as memory of the session.', validators=[django.core.validators.MinValueValidator(1)], verbose_name='shared memory (MiB)'),
        ),
        migrations.AddField(
            model_name='resourceprofile',
            name='tolerations',
            field=models.JSONField(blank=True, default=list, help_text='Taints that it bears: [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}].', validators=[quotas.validators.tolerations]),
        ),
        migrations.AddConstraint(
            model_name='resourceprofile',
            constraint=models.CheckConstraint(condition=models.Q(('cpu_overcommit__gte', 1), ('memory_overcommit__gte', 1)), name='profile_overcommit_is_1_or_more'),
        ),
    ]
