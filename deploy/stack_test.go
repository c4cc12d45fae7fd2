package deploy_test

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"slate360.ai/worker/internal/testservices"
)

// cloud is moto, asked over the query protocol of AWS.
type cloud struct {
	t        *testing.T
	endpoint string
}

// ask calls an action of a service and reads what it answers.
func (c *cloud) ask(service, version, action string, answer any, parameters ...string) {
	c.t.Helper()
	form := url.Values{"Action": {action}, "Version": {version}}
	for i := 0; i < len(parameters); i += 2 {
		form.Set(parameters[i], parameters[i+1])
	}
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	// moto checks no signature; it reads region and service here.
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/"+region+"/"+service+"/aws4_request, SignedHeaders=host, Signature=0")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		c.t.Fatalf("%s: %s %v\n%.3000s", action, resp.Status, err, body)
	}
	if answer == nil {
		return
	}
	if err := xml.Unmarshal(body, answer); err != nil {
		c.t.Fatalf("%s: %v\n%s", action, err, body)
	}
}

const (
	formation = "2010-05-15"
	compute   = "2016-11-15"
	scaling   = "2011-01-01"
)

// groups are the Auto Scaling groups as they are.
type groups struct {
	Groups []struct {
		Name      string   `xml:"AutoScalingGroupName"`
		Min       int      `xml:"MinSize"`
		Max       int      `xml:"MaxSize"`
		Types     []string `xml:"MixedInstancesPolicy>LaunchTemplate>Overrides>member>InstanceType"`
		Spot      string   `xml:"MixedInstancesPolicy>InstancesDistribution>SpotAllocationStrategy"`
		Price     string   `xml:"MixedInstancesPolicy>InstancesDistribution>SpotMaxPrice"`
		Template  string   `xml:"MixedInstancesPolicy>LaunchTemplate>LaunchTemplateSpecification>LaunchTemplateId"`
		Instances []struct {
			Type string `xml:"InstanceType"`
		} `xml:"Instances>member"`
	} `xml:"DescribeAutoScalingGroupsResult>AutoScalingGroups>member"`
}

// deployed makes a stack of the template.
func deployed(t *testing.T) *cloud {
	t.Helper()
	c := &cloud{t: t, endpoint: testservices.AWS(t).Endpoint}
	text, err := os.ReadFile(templateFile)
	if err != nil {
		t.Fatal(err)
	}
	// moto looks defaults of image parameters up even where others are given, and does
	// not know this one.
	body := strings.Replace(string(text), "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id",
		"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64", 1)
	var subnets struct {
		Set []struct {
			ID  string `xml:"subnetId"`
			VPC string `xml:"vpcId"`
		} `xml:"subnetSet>item"`
	}
	c.ask("ec2", compute, "DescribeSubnets", &subnets)
	parameters := []string{"StackName", "worker", "TemplateBody", body, "Capabilities.member.1", "CAPABILITY_NAMED_IAM"}
	for i, p := range [][2]string{
		{"VpcId", subnets.Set[0].VPC},
		{"SubnetIds", subnets.Set[0].ID + "," + subnets.Set[1].ID},
		{"BucketName", "outputs"},
		{"InstanceTypes", "g4dn.xlarge,g5.xlarge,g6.xlarge"},
		{"SshCidr", "10.0.0.0/8"},
		{"AlarmEmail", "ops@example.com"},
	} {
		parameters = append(parameters, fmt.Sprintf("Parameters.member.%d.ParameterKey", i+1), p[0], fmt.Sprintf("Parameters.member.%d.ParameterValue", i+1), p[1])
	}
	c.ask("cloudformation", formation, "CreateStack", nil, parameters...)
	return c
}

// The template deploys; the group that comes of it launches machines of its types
// when it is told to grow, with metadata of version 2 only, and they start with
// worker-init.sh and the settings of the stack. What moto does not have (hooks, alarms,
// budget, policies of bucket and topic) is checked by cfn-lint and against the module.
func TestStack(t *testing.T) {
	c := deployed(t)
	var stack struct {
		Status string `xml:"DescribeStacksResult>Stacks>member>StackStatus"`
	}
	c.ask("cloudformation", formation, "DescribeStacks", &stack, "StackName", "worker")
	if stack.Status != "CREATE_COMPLETE" {
		t.Errorf("the stack is %s", stack.Status)
	}
	c.ask("autoscaling", scaling, "SetDesiredCapacity", nil, "AutoScalingGroupName", "slate360-worker", "DesiredCapacity", "2")
	var g groups
	c.ask("autoscaling", scaling, "DescribeAutoScalingGroups", &g)
	if len(g.Groups) != 2 {
		t.Fatalf("groups: %+v", g)
	}
	for _, group := range g.Groups {
		if group.Name == "slate360-worker-controller" {
			if group.Min != 1 || group.Max != 1 || len(group.Instances) != 1 || group.Instances[0].Type != "t4g.nano" {
				t.Errorf("controller: %+v", group)
			}
			continue
		}
		if group.Min != 0 || group.Max != 4 || strings.Join(group.Types, " ") != "g4dn.xlarge g5.xlarge g6.xlarge" ||
			group.Spot != "price-capacity-optimized" || group.Price != "0.60" || len(group.Instances) != 2 {
			t.Errorf("workers: %+v", group)
		}
		c.checkLaunch(group.Template)
	}
	c.ask("cloudformation", formation, "DeleteStack", nil, "StackName", "worker")
	g = groups{}
	c.ask("autoscaling", scaling, "DescribeAutoScalingGroups", &g)
	if len(g.Groups) != 0 {
		t.Errorf("groups of a stack that is deleted: %+v", g)
	}
}

// checkLaunch holds what machines start with.
func (c *cloud) checkLaunch(template string) {
	t := c.t
	t.Helper()
	var launch struct {
		Tokens   string `xml:"launchTemplateVersionSet>item>launchTemplateData>metadataOptions>httpTokens"`
		UserData string `xml:"launchTemplateVersionSet>item>launchTemplateData>userData"`
		Disk     struct {
			Type      string `xml:"volumeType"`
			Size      int    `xml:"volumeSize"`
			Encrypted bool   `xml:"encrypted"`
		} `xml:"launchTemplateVersionSet>item>launchTemplateData>blockDeviceMappingSet>item>ebs"`
	}
	c.ask("ec2", compute, "DescribeLaunchTemplateVersions", &launch, "LaunchTemplateId", template)
	if launch.Tokens != "required" || launch.Disk.Type != "gp3" || launch.Disk.Size != 200 || !launch.Disk.Encrypted {
		t.Errorf("launch template: tokens %s, disk %+v", launch.Tokens, launch.Disk)
	}
	script, err := base64.StdEncoding.DecodeString(launch.UserData)
	if err != nil {
		t.Fatal(err)
	}
	// It runs, as far as it can without a machine: a release is given, so that nobody
	// is asked for one.
	root := t.TempDir()
	file := filepath.Join(root, "user-data")
	for name, text := range map[string]string{file: string(script), filepath.Join(root, "os-release"): "ID=debian\nVERSION_ID=12\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(root, "os-release"), filepath.Join(root, "etc", "os-release")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", file, "--dry-run")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "INIT_ROOT=" + root, "INIT_RELEASE=https://example.com/worker.tar.gz " + strings.Repeat("0", 64)}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("user data: %v\n%s", err, out)
	}
	for _, want := range []string{"debian-12 on", "role worker", "from /slate360-worker and", "--drain 10m", "systemctl restart slate360-worker", "done"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("user data does not say %q:\n%s", want, out)
		}
	}
}
