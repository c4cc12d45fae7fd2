package deploy_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// facts brings what a resource says into one form, that of Terraform: names in snake
// case, one block for a list of one, tags and dimensions as maps, policies as trees.
func (s *template) facts(id string) any {
	r := s.resources[id]
	p := s.resolve(r.Properties).(map[string]any)
	var v any
	switch r.Type {
	case "AWS::EC2::SecurityGroup":
		v = s.rules(p)
	case "AWS::S3::Bucket":
		v = bucketOfTemplate(p)
	case "AWS::IAM::ManagedPolicy", "AWS::IAM::Policy", "AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy":
		v = p["PolicyDocument"]
	case "AWS::IAM::Role":
		own := p["Policies"].([]any)[0].(map[string]any)
		v = map[string]any{
			"name": p["RoleName"], "assume": p["AssumeRolePolicyDocument"], "policy": own["PolicyDocument"], "policy_name": own["PolicyName"],
			"managed": p["ManagedPolicyArns"].([]any)[0], "tags": tags(p["Tags"]),
		}
	case "AWS::IAM::InstanceProfile":
		v = map[string]any{"name": p["InstanceProfileName"], "role": p["Roles"].([]any)[0]}
	case "AWS::Logs::LogGroup":
		v = map[string]any{"name": p["LogGroupName"], "retention_in_days": p["RetentionInDays"], "tags": tags(p["Tags"])}
	case "AWS::SNS::Topic":
		v = map[string]any{"name": p["TopicName"], "tags": tags(p["Tags"])}
	case "AWS::EC2::LaunchTemplate":
		d := p["LaunchTemplateData"].(map[string]any)
		d["name"], d["UserData"] = p["LaunchTemplateName"], decoded(d["UserData"])
		move(d, "SecurityGroupIds", "VpcSecurityGroupIds")
		v = snakes(d)
	case "AWS::AutoScaling::AutoScalingGroup":
		v = groupOfTemplate(p)
	case "AWS::CloudWatch::Alarm":
		v = alarmOfTemplate(p)
	case "AWS::Budgets::Budget":
		v = budgetOfTemplate(p)
	default:
		v = snakes(p)
	}
	return s.common(v)
}

// common gives references the addresses of the module, and one form to values.
func (s *template) common(v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		s.t.Fatal(err)
	}
	for id, address := range pairs {
		b = []byte(strings.ReplaceAll(string(b), `\u003c`+id+`\u003e`, `\u003c`+address+`\u003e`))
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		s.t.Fatal(err)
	}
	return normal(single(out))
}

// single makes a list of one map that map: blocks are written once or several times.
func single(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = single(e)
		}
	case []any:
		for i, e := range v {
			v[i] = single(e)
		}
		if len(v) == 1 {
			if m, ok := v[0].(map[string]any); ok {
				return m
			}
		}
	}
	return v
}

func snakes(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := map[string]any{}
		for k, e := range v {
			if k == "Tags" {
				e = tags(e)
			}
			if k != "tags" && k != "Tags" && k != "dimensions" {
				e = snakes(e)
			}
			m[snake(k)] = e
		}
		return m
	case []any:
		for i, e := range v {
			v[i] = snakes(e)
		}
	}
	return v
}

func tags(v any) any {
	m := map[string]any{}
	for _, e := range v.([]any) {
		tag := e.(map[string]any)
		m[tag["Key"].(string)] = tag["Value"]
	}
	return m
}

func move(m map[string]any, from, to string) {
	if v, ok := m[from]; ok {
		m[to] = v
		delete(m, from)
	}
}

// rules are those of the group and of the resources that add to it.
func (s *template) rules(p map[string]any) any {
	var rules []string
	add := func(way string, v any) {
		r := v.(map[string]any)
		rules = append(rules, fmt.Sprintf("%s %v %v-%v %v %v", way, r["IpProtocol"], r["FromPort"], r["ToPort"], r["CidrIp"], r["Description"]))
	}
	for _, v := range p["SecurityGroupEgress"].([]any) {
		add("egress", v)
	}
	for _, r := range s.resources {
		switch {
		case !s.holds(r.Condition):
		case r.Type == "AWS::EC2::SecurityGroupIngress":
			add("ingress", s.resolve(r.Properties))
		case r.Type == "AWS::EC2::SecurityGroupEgress":
			add("egress", s.resolve(r.Properties))
		}
	}
	slices.Sort(rules)
	return map[string]any{"rules": rules, "vpc": p["VpcId"], "tags": tags(p["Tags"])}
}

func bucketOfTemplate(p map[string]any) any {
	life := map[string]any{}
	for _, v := range p["LifecycleConfiguration"].(map[string]any)["Rules"].([]any) {
		r := v.(map[string]any)
		life[r["Id"].(string)] = []any{r["Status"], r["Prefix"], r["ExpirationInDays"], field(r, "AbortIncompleteMultipartUpload", "DaysAfterInitiation")}
	}
	e := p["BucketEncryption"].(map[string]any)["ServerSideEncryptionConfiguration"].([]any)[0].(map[string]any)
	return map[string]any{
		"bucket": p["BucketName"], "tags": tags(p["Tags"]), "public": snakes(p["PublicAccessBlockConfiguration"]), "lifecycle": life,
		"ownership":  p["OwnershipControls"].(map[string]any)["Rules"].([]any)[0].(map[string]any)["ObjectOwnership"],
		"encryption": []any{e["BucketKeyEnabled"], field(e, "ServerSideEncryptionByDefault", "SSEAlgorithm")},
	}
}

// field of a map in a map, nil where there is none.
func field(m map[string]any, outer, inner string) any {
	v, _ := m[outer].(map[string]any)
	return v[inner]
}

func groupOfTemplate(p map[string]any) any {
	move(p, "AutoScalingGroupName", "Name")
	move(p, "VPCZoneIdentifier", "VpcZoneIdentifier")
	move(p, "LifecycleHookSpecificationList", "InitialLifecycleHook")
	move(p, "Tags", "tag")
	if hooks, ok := p["InitialLifecycleHook"].([]any); ok {
		for _, h := range hooks {
			move(h.(map[string]any), "LifecycleHookName", "Name")
		}
	}
	if l, ok := p["MetricsCollection"].([]any); ok {
		m := l[0].(map[string]any)
		p["MetricsGranularity"], p["EnabledMetrics"] = m["Granularity"], m["Metrics"]
		delete(p, "MetricsCollection")
	}
	if mixed, ok := p["MixedInstancesPolicy"].(map[string]any); ok {
		move(mixed["LaunchTemplate"].(map[string]any), "Overrides", "Override")
	}
	if launch, ok := p["LaunchTemplate"].(map[string]any); ok {
		move(launch, "LaunchTemplateId", "Id")
	}
	return snakes(p)
}

func dimensions(v any) any {
	m := map[string]any{}
	for _, e := range v.([]any) {
		d := e.(map[string]any)
		m[d["Name"].(string)] = d["Value"]
	}
	return m
}

func alarmOfTemplate(p map[string]any) any {
	if v, ok := p["Dimensions"]; ok {
		p["dimensions"] = dimensions(v)
		delete(p, "Dimensions")
	}
	move(p, "Metrics", "MetricQuery")
	if queries, ok := p["MetricQuery"].([]any); ok {
		for _, e := range queries {
			q := e.(map[string]any)
			stat, ok := q["MetricStat"].(map[string]any)
			if !ok {
				continue
			}
			metric := stat["Metric"].(map[string]any)
			metric["Period"], metric["Stat"], metric["dimensions"] = stat["Period"], stat["Stat"], dimensions(metric["Dimensions"])
			delete(metric, "Dimensions")
			q["Metric"] = metric
			delete(q, "MetricStat")
		}
	}
	return snakes(p)
}

func budgetOfTemplate(p map[string]any) any {
	b := p["Budget"].(map[string]any)
	var notifications []any
	for _, e := range p["NotificationsWithSubscribers"].([]any) {
		n := e.(map[string]any)
		v := snakes(n["Notification"]).(map[string]any)
		v["subscriber_sns_topic_arns"] = []any{n["Subscribers"].([]any)[0].(map[string]any)["Address"]}
		notifications = append(notifications, v)
	}
	return map[string]any{
		"name": b["BudgetName"], "budget_type": b["BudgetType"], "time_unit": b["TimeUnit"],
		"limit_amount": field(b, "BudgetLimit", "Amount"), "limit_unit": field(b, "BudgetLimit", "Unit"),
		"cost_filter": map[string]any{"name": "TagKeyValue", "values": field(b, "CostFilters", "TagKeyValue")}, "notification": notifications,
	}
}

// facts of a resource of the module, with those that are part of it.
func (m *module) facts(address string) any {
	p := m.resources[address]
	kind, name, _ := strings.Cut(address, ".")
	var v any = p
	switch kind {
	case "aws_security_group":
		v = m.rules(p)
	case "aws_s3_bucket":
		v = m.bucket(p)
	case "aws_iam_policy", "aws_iam_role_policy", "aws_s3_bucket_policy", "aws_sns_topic_policy":
		v = m.tree(p["policy"])
	case "aws_iam_role":
		own := m.resources["aws_iam_role_policy."+name]
		v = map[string]any{
			"name": p["name"], "assume": m.tree(p["assume_role_policy"]), "policy": m.tree(own["policy"]), "policy_name": own["name"],
			"managed": m.resources["aws_iam_role_policy_attachment."+name]["policy_arn"], "tags": p["tags"],
		}
	case "aws_launch_template":
		// Of the template itself, not of what it launches.
		delete(p, "tags")
		delete(p, "update_default_version")
		if p["key_name"] == nil {
			delete(p, "key_name")
		}
	case "aws_autoscaling_group":
		// How Terraform itself goes about it.
		delete(p, "wait_for_capacity_timeout")
	case "aws_sns_topic_subscription":
		delete(p, "count")
	}
	return normal(single(v))
}

func (m *module) tree(policy any) (v any) {
	if err := json.Unmarshal([]byte(policy.(string)), &v); err != nil {
		m.t.Fatal(err)
	}
	return v
}

func (m *module) rules(p map[string]any) any {
	var rules []any
	var lines []string
	for _, way := range []string{"egress", "ingress"} {
		blocks, _ := p[way].([]any)
		for _, e := range blocks {
			r := e.(map[string]any)
			lines = append(lines, fmt.Sprintf("%s %v %v-%v %v %v", way, r["protocol"], r["from_port"], r["to_port"], r["cidr_blocks"].([]any)[0], r["description"]))
		}
	}
	slices.Sort(lines)
	for _, l := range lines {
		rules = append(rules, l)
	}
	return map[string]any{"rules": rules, "vpc": p["vpc_id"], "tags": p["tags"]}
}

func (m *module) bucket(p map[string]any) any {
	part := func(kind string) map[string]any {
		v := m.resources["aws_s3_bucket_"+kind+".outputs"]
		delete(v, "bucket")
		delete(v, "count")
		return v
	}
	life := map[string]any{}
	for _, e := range part("lifecycle_configuration")["rule"].([]any) {
		r := single(e).(map[string]any)
		life[r["id"].(string)] = []any{r["status"], field(r, "filter", "prefix"), field(r, "expiration", "days"), field(r, "abort_incomplete_multipart_upload", "days_after_initiation")}
	}
	e := single(part("server_side_encryption_configuration")["rule"]).(map[string]any)
	return map[string]any{
		"bucket": p["bucket"], "tags": p["tags"], "public": part("public_access_block"), "lifecycle": life,
		"ownership":  single(part("ownership_controls")["rule"]).(map[string]any)["object_ownership"],
		"encryption": []any{e["bucket_key_enabled"], field(e, "apply_server_side_encryption_by_default", "sse_algorithm")},
	}
}
