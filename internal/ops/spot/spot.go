// Package spot asks an EC2 machine whether it is about to be taken away, and sees to
// it that its worker gives its jobs back before.
//
// It follows the "Amazon EC2 User Guide", "Spot Instance interruption notices" and
// "EC2 instance rebalance recommendations", and the "Amazon EC2 Auto Scaling User
// Guide", "Retrieve the target lifecycle state through instance metadata", over
// version 2 of the instance metadata service (session tokens). Where that is comes
// from the environment as in all AWS clients (AWS_EC2_METADATA_SERVICE_ENDPOINT).
package spot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Kind of a notice.
type Kind string

// The kinds of notices, the most pressing last.
const (
	// Rebalance says that the machine is at a raised risk of interruption.
	Rebalance Kind = "rebalance"
	// Terminating says that the Auto Scaling group takes the machine, and waits for
	// its lifecycle hook.
	Terminating Kind = "terminating"
	// Interruption says that the machine is taken at a set time, two minutes ahead.
	Interruption Kind = "interruption"
)

// Notice says that the machine will go.
type Notice struct {
	Kind Kind
	// Action is what happens: terminate, stop or hibernate; empty where it is not said.
	Action string
	// At is when; zero where it is not said.
	At time.Time
}

// Machine is the machine that the program runs on.
type Machine struct{ client *imds.Client }

// Open returns the machine. It asks nothing yet.
func Open(ctx context.Context) (*Machine, error) {
	c, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("AWS configuration: %w", err)
	}
	return &Machine{imds.NewFromConfig(c, func(o *imds.Options) {
		// Tokens only: version 1 of the service lets any request of the machine in.
		o.EnableFallback = aws.FalseTernary
	})}, nil
}

// Likely tells, without asking the network, whether the program runs on EC2: the
// firmware says so, or the environment names a metadata service.
func Likely() bool {
	if strings.EqualFold(os.Getenv("AWS_EC2_METADATA_DISABLED"), "true") {
		return false
	}
	if os.Getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT") != "" {
		return true
	}
	// Nitro machines have the vendor, Xen ones the version "4.x.amazon".
	for _, path := range []string{"/sys/class/dmi/id/sys_vendor", "/sys/class/dmi/id/bios_version"} {
		text, err := os.ReadFile(path)
		if err == nil && strings.Contains(strings.ToLower(string(text)), "amazon") {
			return true
		}
	}
	return false
}

// ID is the machine's, such as i-0123456789abcdef0.
func (m *Machine) ID(ctx context.Context) (string, error) {
	return m.get(ctx, "instance-id")
}

// Region is that of the machine, such as us-east-1.
func (m *Machine) Region(ctx context.Context) (string, error) {
	return m.get(ctx, "placement/region")
}

// Type is the machine's type, such as g4dn.xlarge; spot tells whether it can be
// taken away.
func (m *Machine) Type(ctx context.Context) (name string, spot bool, err error) {
	if name, err = m.get(ctx, "instance-type"); err != nil {
		return "", false, err
	}
	cycle, err := m.get(ctx, "instance-life-cycle")
	return name, cycle == "spot", err
}

// Notices returns the notices there are, the most pressing first.
func (m *Machine) Notices(ctx context.Context) ([]Notice, error) {
	var notices []Notice
	for _, ask := range []func(context.Context) (Notice, bool, error){m.interruption, m.terminating, m.rebalance} {
		n, ok, err := ask(ctx)
		if err != nil {
			return notices, err
		}
		if ok {
			notices = append(notices, n)
		}
	}
	return notices, nil
}

func (m *Machine) interruption(ctx context.Context) (Notice, bool, error) {
	text, err := m.get(ctx, "spot/instance-action")
	if err != nil || text == "" {
		return Notice{}, false, err
	}
	var a struct {
		Action string    `json:"action"`
		Time   time.Time `json:"time"`
	}
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		// It is a notice, whatever it says.
		return Notice{Kind: Interruption}, true, nil
	}
	return Notice{Interruption, a.Action, a.Time}, true, nil
}

func (m *Machine) terminating(ctx context.Context) (Notice, bool, error) {
	text, err := m.get(ctx, "autoscaling/target-lifecycle-state")
	if err != nil || !strings.HasPrefix(text, "Terminated") {
		return Notice{}, false, err
	}
	return Notice{Kind: Terminating, Action: "terminate"}, true, nil
}

func (m *Machine) rebalance(ctx context.Context) (Notice, bool, error) {
	text, err := m.get(ctx, "events/recommendations/rebalance")
	if err != nil || text == "" {
		return Notice{}, false, err
	}
	var a struct {
		NoticeTime time.Time `json:"noticeTime"`
	}
	_ = json.Unmarshal([]byte(text), &a) // the time is for people
	return Notice{Kind: Rebalance, At: a.NoticeTime}, true, nil
}

// maxText bounds an answer.
const maxText = 16 << 10

// get returns a piece of metadata; empty where there is none.
func (m *Machine) get(ctx context.Context, path string) (string, error) {
	out, err := m.client.GetMetadata(ctx, &imds.GetMetadataInput{Path: path})
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.HTTPStatusCode() == http.StatusNotFound {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("instance metadata %s: %w", path, err)
	}
	defer out.Content.Close()
	text, err := io.ReadAll(io.LimitReader(out.Content, maxText))
	if err != nil {
		return "", fmt.Errorf("instance metadata %s: %w", path, err)
	}
	return strings.TrimSpace(string(text)), nil
}
