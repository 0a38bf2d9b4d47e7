package schema

// builtinGrammar describes the CIB in all its versions; patternText and notation
// tell how it is written. What differs between versions is what the schemas that
// Pacemaker installs tell apart (xml/*.rng), test/schema compares the two.
const builtinGrammar = `
start = cib { versions @crm_feature_set? @remote-tls-port:nonNegativeInteger? @remote-clear-port:nonNegativeInteger? @have-quorum:boolean?
	@dc-uuid? @cib-last-written? @no-quorum-panic:boolean? (@update-origin? @update-client? @update-user? @execution-date?)[1.2-]
	configuration { defaults & nodes & resources & constraints & fencing?[1.2-] & acls?[1.2-] & tags?[1.3-] & alerts?[2.5-] }
	status { any }? }

any = (@* | * { any } | text)*

versions = @validate-with:schemas? @admin_epoch:nonNegativeInteger @epoch:nonNegativeInteger @num_updates:nonNegativeInteger

# Sets of name-value pairs, and rules that say when they hold.

set(names) = @id-ref:IDREF | (@id:ID (rule? & nvpair { (@id-ref:IDREF @name?)[1.3-] | (@id:ID names) }* & score?))
pair = @name @value?
score = @score:integer'INFINITY|+INFINITY|-INFINITY'

rule = rule { @id-ref:IDREF | (@id:ID (score | @score-attribute)[-3.8] (score | @score-attribute)?[3.9-] @boolean-op:'or|and'? @role?
	(expression | date_expression | (rsc_expression | op_expression)[3.4-] | rule)+) }
expression = expression { @id:ID @attribute @operation:'lt|gt|lte|gte|eq|ne|defined|not_defined' @value?
	@type:'string|integer[3.5-]|number|version'? @value-source:'literal|param|meta'?[2.9-] }
date_expression = date_expression { @id:ID ((@operation:'in_range' in-range) | (@operation:'gt' @start) | (@operation:'lt' @end) |
	(@operation:'date_spec' date_spec { date-spec })) }
in-range[-3.8] = (@start? @end) | (@start duration { date-parts })
in-range[3.9-] = (@start | @end | (@start @end)) duration { duration }?
date-spec[-3.8] = date-parts
date-spec[3.9-] = @id:ID @years? @months? @monthdays? @hours? @minutes? @seconds? @yeardays? @weekyears? @weeks? @weekdays? @moon? @yearsdays?
duration = @id:ID @years? @months? @weeks? @days? @hours? @minutes? @seconds? @monthdays? @weekdays? @yearsdays? @weekyears? @moon?
date-parts = @id:ID @hours? @monthdays? @weekdays? @yearsdays? @months? @weeks? @years? @weekyears? @moon?
rsc_expression = rsc_expression { @id:ID @class? @provider? @type? }
op_expression = op_expression { @id:ID @name @interval? }

# Cluster properties and defaults. Before 3.0 their sets stayed those of 1.2.

defaults[-2.10] = crm_config { cluster_property_set { set(pair)@1.2 }* } & rsc_defaults { meta_attributes { set(pair)@1.2 }* }? &
	op_defaults { meta_attributes { set(pair)@1.2 }* }?
defaults[3.0-] = crm_config { cluster_property_set { set(property) }* } & rsc_defaults { meta_attributes { set(pair) }* }? &
	op_defaults { meta_attributes { set(pair) }* }?
property = (@name:=cluster-infrastructure @value:!'heartbeat|openais|classic openais|classic openais (with plugin)|cman') |
	(@name:!'cluster-infrastructure|cluster_recheck_interval|dc_deadtime|default-action-timeout|default_action_timeout|default-migration-threshold|default_migration_threshold|default-resource-failure-stickiness|default_resource_failure_stickiness|default-resource-stickiness|default_resource_stickiness|election_timeout|expected-quorum-votes|is-managed-default|is_managed_default|no_quorum_policy|notification-agent|notification-recipient|remove_after_stop|shutdown_escalation|startup_fencing|stonith_action|stonith_enabled|stop_orphan_actions|stop_orphan_resources|symmetric_cluster|transition_idle_timeout' @value?)

# Nodes.

nodes = nodes { node { @id @uname @type:node-types[1.0] @type:node-types?[1.2-] @description? score?[1.2-]
	(instance_attributes { set(pair) } | utilization { set(pair) }[1.2-])* }* }
node-types = 'normal[-2.10]|member|ping|remote[1.3-]'

# Resources.

resources = resources { (primitive | template[1.2-] | group | clone | master | bundle[2.8-])* }
primitive = primitive { @id:ID & ((class @type) | @template:IDREF[1.2-]) & @description? & resource-sets & operations? & utilization { set(pair) }*[1.2-] }
template = template { @id:ID & template-class & @type & @description? & resource-sets & operations? & utilization { set(pair) }* }
class = (@class:'ocf' @provider) | @class:'lsb|heartbeat|stonith|upstart|service[1.2-]|systemd[1.2-]|nagios[1.2-]'
template-class = class
template-class[-2.6] = class@1.0
group = group { @id:ID @description? (sets & primitive+) }
clone = clone { @id:ID @description? (sets & (primitive | group)) }
master = master { @id:ID @description? (sets & (primitive | group)) }
bundle = bundle { @id:ID & @description? & sets & (docker { container } | rkt { container }[2.10-] | podman { container }[3.2-]) &
	network { @ip-range-start? @control-port:integer? @host-interface? @host-netmask:integer? @add-host:boolean?[3.0-] port-mapping { port }* }? &
	storage { storage-mapping { @id:ID (@source-dir | @source-dir-root) @target-dir @options? }* }? & primitive? }
container = @image @replicas:integer? @replicas-per-host:integer? (@masters:integer | @promoted-max:integer[3.0-])? @run-command? @network? @options?
port = @id:ID ((@port:integer @internal-port:integer?) | @range:/([0-9\-]+)/)

sets = (meta_attributes { set(pair) } | instance_attributes { set(pair) })*
resource-sets = sets
resource-sets[3.0] = (meta_attributes { set(not-isolated) } | instance_attributes { set(not-command) })*
resource-sets[3.1-] = (meta_attributes { set(not-isolated) } | instance_attributes { set(pair) })*
not-isolated = @name:!'isolation|isolation-host|isolation-instance|isolation-wrapper' @value?
not-command = @name:!'pcmk_arg_map|pcmk_list_cmd|pcmk_monitor_cmd|pcmk_off_cmd|pcmk_on_cmd|pcmk_reboot_cmd|pcmk_status_cmd' @value?

operations = operations { @id:ID? @id-ref:IDREF? op { @id:ID @name @interval @description? (@start-delay | @interval-origin)? @timeout?
	@enabled:boolean? @record-pending:boolean? @role:op-roles? @requires:'nothing|quorum|fencing|unfencing[1.3-]'?[-2.10]
	@on-fail:'ignore|block|demote[3.4-]|stop|restart|standby|fence|restart-container[1.2-]'? op-sets }* }
op-sets = sets
op-sets[3.0] = (meta_attributes { set(not-requires) } | instance_attributes { set(not-meta) })*
op-sets[3.1-] = (meta_attributes { set(not-requires) } | instance_attributes { set(pair) })*
not-requires = @name:!'requires' @value?
not-meta = @name:!'interval-origin|start-delay|enabled|on-fail|record-pending|role|timeout|requires' @value?

# Constraints.

constraints = constraints { (location | colocation | order | ticket[1.2-])* }
location = rsc_location { @id:ID (((@rsc:IDREF | @rsc-pattern[2.6-]) @role:roles?[1.2-]) | resource_set+[1.2-])
	((score @node) | location-rule+) lifetime? @resource-discovery:'always|never|exclusive'?[2.2-] }
colocation = rsc_colocation { @id:ID (score | @score-attribute[-2.10] | @score-attribute-mangle[-2.10])? @influence?[3.6-] lifetime?
	(resource_set+ | (@rsc:IDREF @with-rsc:IDREF @node-attribute? @rsc-role:roles? @with-rsc-role:roles?
	@rsc-instance:integer?[next] @with-rsc-instance:integer?[next])) }
order = rsc_order { @id:ID lifetime? @symmetrical:boolean? @require-all:boolean?[2.3-] (score | @kind:kinds)?
	(resource_set+ | (@first:IDREF @then:IDREF @first-action:actions? @then-action:actions? @first-instance:integer?[next] @then-instance:integer?[next])) }
ticket = rsc_ticket { @id:ID (resource_set+ | (@rsc:IDREF @rsc-role:roles?)) @ticket @loss-policy:'stop|demote|fence|freeze'? }
resource_set = resource_set { @id-ref:IDREF | (@id:ID @sequential:boolean? @require-all:boolean?[1.2-] @ordering:'group|listed'?[2.1-]
	@action:actions? @role:roles? (score | @kind:kinds[3.0-])? resource_ref { @id:IDREF }+) }
location-rule = rule
location-rule[3.4] = rule@3.3
lifetime = lifetime { location-rule+ }
roles = 'Stopped|Started|Promoted[3.7-]|Unpromoted[3.7-]|Master|Slave'
op-roles = roles
actions = 'start|promote|demote|stop'
kinds = 'Optional|Mandatory|Serialize'

# Fencing levels, access, tags, alerts.

fencing = fencing-topology { fencing-level { @id:ID (@target | @target-pattern | (@target-attribute @target-value)[2.4-]) @index:positiveInteger
	@devices:/([a-zA-Z0-9_\.\-]+)(,[a-zA-Z0-9_\.\-]+)*/ }* }

acls[-1.3] = acls { (acl_user { @id:ID (role_ref { @id:IDREF }* | access*) } | acl_role { @id:ID access* })* }
acls[2.0-] = acls { (acl_target { @id @name?[3.8-] role { @id:IDREF }* } | acl_group { @id:ID @name?[3.8-] role { @id:IDREF }* } |
	acl_role { @id:ID @description? acl_permission { @id:ID @kind:'read|write|deny' (@xpath | @reference:IDREF | (@object-type @attribute?)) @description? }* })* }
access = read { access-rule } | write { access-rule } | deny { access-rule }
access-rule = @id:ID (@tag | @ref:IDREF | (@tag @ref:IDREF) | @xpath) @attribute?

tags = tags { tag { @id:ID obj_ref { @id:IDREF[-3.2] @id[3.3-] }+ }* }

alerts[-2.9] = alerts { alert { @id:ID @description? @path alert-sets recipient* }* }
alerts[2.10-] = alerts { alert { @id:ID @description? @path (alert-sets & select? & recipient*) }* }
recipient = recipient { @id:ID @description? @value alert-sets }
select = select { select_attributes { attribute { @id:ID @name }* }? & select_fencing { empty }? & select_nodes { empty }? & select_resources { empty }? }
alert-sets = sets
alert-sets[3.4] = sets@3.3
`
