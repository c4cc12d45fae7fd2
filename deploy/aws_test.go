package deploy_test

import (
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"slate360.ai/worker/internal/testdata"
)

var update = flag.Bool("update", false, "write worker-init.sh into the template")

const (
	account, partition, region = "123456789012", "aws", "us-east-1"
	image, controllerImage     = "ami-worker", "ami-controller"
)

// The template carries worker-init.sh as it is.
func TestTemplateHasScript(t *testing.T) {
	text, err := os.ReadFile(templateFile)
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("aws/worker-init.sh")
	if err != nil {
		t.Fatal(err)
	}
	indented := regexp.MustCompile(`(?m)^(.)`).ReplaceAllString(string(script), "        $1")
	block := regexp.MustCompile(`(?s)( {6}Text: \|\n).*?(\nResources:)`)
	want := block.ReplaceAllStringFunc(string(text), func(old string) string {
		parts := block.FindStringSubmatch(old)
		return parts[1] + indented + parts[2]
	})
	if *update && want != string(text) {
		if err := os.WriteFile(templateFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(text) {
		t.Error("worker-init.sh has changed: write it into the template with go test ./deploy -update")
	}
	// The most that CreateStack takes in its request, and EC2 as user data.
	if len(want) > 51_200 {
		t.Errorf("the template has %d bytes", len(want))
	}
	if len(script) > 15_000 {
		t.Errorf("worker-init.sh has %d bytes, and user data may have 16,384", len(script))
	}
}

// pairs are the resources of the template with those of the module.
var pairs = map[string]string{
	"SecurityGroup": "aws_security_group.worker", "Bucket": "aws_s3_bucket.outputs", "BucketPolicy": "aws_s3_bucket_policy.outputs",
	"LogGroup": "aws_cloudwatch_log_group.worker", "CommonPolicy": "aws_iam_policy.common",
	"WorkerRole": "aws_iam_role.worker", "WorkerProfile": "aws_iam_instance_profile.worker",
	"ControllerRole": "aws_iam_role.controller", "ControllerProfile": "aws_iam_instance_profile.controller",
	"SecretPolicy": "aws_iam_role_policy.secret", "ReleasePolicy": "aws_iam_role_policy.release",
	"LaunchTemplate": "aws_launch_template.worker", "Group": "aws_autoscaling_group.worker",
	"ControllerTemplate": "aws_launch_template.controller", "ControllerGroup": "aws_autoscaling_group.controller",
	"Topic": "aws_sns_topic.alarms", "TopicPolicy": "aws_sns_topic_policy.alarms", "Subscription": "aws_sns_topic_subscription.email",
	"QueueAgeAlarm": "aws_cloudwatch_metric_alarm.queue_age", "FailedJobsAlarm": "aws_cloudwatch_metric_alarm.failed_jobs",
	"NoWorkersAlarm": "aws_cloudwatch_metric_alarm.no_workers", "SpotInterruptionsAlarm": "aws_cloudwatch_metric_alarm.spot_interruptions",
	"DiskAlarm": "aws_cloudwatch_metric_alarm.disk", "Budget": "aws_budgets_budget.month",
}

// parts are resources of one that are part of another in the other: see facts.
var parts = map[string]string{
	"SshIngress": "SecurityGroup", "ApiIngress": "SecurityGroup", "DatabaseEgress": "SecurityGroup",
	"aws_s3_bucket_public_access_block.outputs": "Bucket", "aws_s3_bucket_ownership_controls.outputs": "Bucket",
	"aws_s3_bucket_server_side_encryption_configuration.outputs": "Bucket", "aws_s3_bucket_lifecycle_configuration.outputs": "Bucket",
	"aws_iam_role_policy.worker": "WorkerRole", "aws_iam_role_policy_attachment.worker": "WorkerRole",
	"aws_iam_role_policy.controller": "ControllerRole", "aws_iam_role_policy_attachment.controller": "ControllerRole",
}

// settings are parameters of the template and the same variables of the module.
func settings(all bool) (map[string]any, map[string]cty.Value) {
	values := map[string]any{
		"VpcId": "vpc-1", "SubnetIds": []any{"subnet-1", "subnet-2"}, "ImageId": image, "ControllerImageId": controllerImage, "BucketName": "outputs",
		"AWS::Region": region, "AWS::AccountId": account, "AWS::Partition": partition, "AWS::NoValue": nothing{},
	}
	variables := map[string]cty.Value{
		"vpc_id": cty.StringVal("vpc-1"), "subnet_ids": cty.ListVal([]cty.Value{cty.StringVal("subnet-1"), cty.StringVal("subnet-2")}),
		"bucket_name": cty.StringVal("outputs"),
	}
	if !all {
		values["CreateBucket"], variables["create_bucket"] = "no", cty.False
		return values, variables
	}
	for name, v := range map[string]string{
		"EnvironmentSecretArn": "arn:secret", "ReleaseBucket": "releases", "SourceBucket": "sources", "KeyName": "key",
		"SshCidr": "10.0.0.0/8", "ApiCidr": "10.1.0.0/16", "AlarmEmail": "ops@example.com", "DatabasePort": "5432",
	} {
		values[name], variables[snake(name)] = v, cty.StringVal(v)
	}
	variables["database_port"] = cty.NumberIntVal(5432)
	return values, variables
}

// The module and the template make the same, whatever is asked for: the same
// resources, and in them the same permissions, rules, machines, alarms and user data.
func TestTerraformAndCloudFormationAgree(t *testing.T) {
	for _, all := range []bool{false, true} {
		t.Run(fmt.Sprintf("all=%t", all), func(t *testing.T) {
			values, variables := settings(all)
			s, m := readTemplate(t, values), readModule(t, variables)
			for id, r := range s.resources {
				if pairs[id] == "" && parts[id] == "" {
					t.Errorf("the module has no %s", id)
				}
				if _, ok := m.resources[pairs[id]]; parts[id] == "" && ok != s.holds(r.Condition) {
					t.Errorf("%s: the template has it: %t, the module: %t", id, s.holds(r.Condition), ok)
				}
			}
			for address := range m.resources {
				if parts[address] == "" && !slices.Contains(slices.Collect(maps.Values(pairs)), address) {
					t.Errorf("the template has no %s", address)
				}
			}
			for id, address := range pairs {
				if s.holds(s.resources[id].Condition) {
					compare(t, id, s.facts(id), m.facts(address))
				}
			}
		})
	}
}

// compare shows each difference by its path.
func compare(t *testing.T, path string, a, b any) {
	t.Helper()
	am, aok := a.(map[string]any)
	bm, bok := b.(map[string]any)
	if !aok || !bok {
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s:\n  template %s\n  module   %s", path, text(a), text(b))
		}
		return
	}
	for k := range am {
		compare(t, path+"."+k, am[k], bm[k])
	}
	for k := range bm {
		if _, ok := am[k]; !ok {
			compare(t, path+"."+k, nil, bm[k])
		}
	}
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// The files pass the checkers of their languages.
func TestCheckers(t *testing.T) {
	run := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), testdata.Tool(t, name), args...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	run("cfn-lint", templateFile)
	run("shellcheck", "aws/worker-init.sh", "aws/roll.sh", "packages/generate.sh", "packages/postinstall.sh", "packages/preremove.sh", "packages/postremove.sh")
	run("hadolint", "container/Dockerfile", "container/Dockerfile.cuda")
	run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "container/compose.yaml")
	run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", "../.github/workflows/ci.yml", "../.github/workflows/release.yml", "../.github/workflows/test.yml")
	run("kubernetes-validate", "--quiet", "--strict", "-k", "1.34", "kubernetes/configmap.yaml", "kubernetes/deployment.yaml", "kubernetes/namespace.yaml", "kubernetes/networkpolicy.yaml",
		"kubernetes/poddisruptionbudget.yaml", "kubernetes/secret.yaml", "kubernetes/service.yaml", "kubernetes/serviceaccount.yaml")
	if terraform, err := exec.LookPath("terraform"); err != nil {
		t.Log("terraform is not installed: the module's style is not checked")
	} else if out, err := exec.CommandContext(t.Context(), terraform, "-chdir="+moduleDir, "fmt", "-check", "-diff").CombinedOutput(); err != nil {
		t.Errorf("terraform fmt: %v\n%s", err, out)
	}
}

func decoded(v any) string {
	b, err := base64.StdEncoding.DecodeString(v.(string))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// snake makes the words of AWS those of Terraform: MaxSize, max_size.
func snake(s string) string {
	s = strings.NewReplacer("OKActions", "OkActions", "VPC", "Vpc").Replace(s)
	return strings.TrimPrefix(strings.ToLower(regexp.MustCompile(`[A-Z]`).ReplaceAllString(s, "_$0")), "_")
}
