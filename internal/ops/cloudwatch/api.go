package cloudwatch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
)

// API calls PutMetricData. One call of the Query protocol takes less than the SDK's
// client of the whole service, and stand-ins of AWS know no other protocol.
type API struct {
	config   aws.Config
	endpoint string
	client   *http.Client
}

// maxData is how many values a call has; the service takes 1,000.
const maxData = 150

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 10

// OpenAPI returns the service of a region. It asks nothing yet. Credentials, and
// where the service is (AWS_ENDPOINT_URL_CLOUDWATCH), come from the environment as in
// all AWS clients.
func OpenAPI(ctx context.Context, region string) (*API, error) {
	c, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithRegion(region))
	if err != nil {
		return nil, fmt.Errorf("AWS configuration: %w", err)
	}
	endpoint := os.Getenv("AWS_ENDPOINT_URL_CLOUDWATCH")
	if endpoint == "" {
		endpoint = "https://monitoring." + region + ".amazonaws.com/"
		if strings.HasPrefix(region, "cn-") {
			endpoint = "https://monitoring." + region + ".amazonaws.com.cn/"
		}
	}
	return &API{config: c, endpoint: endpoint, client: &http.Client{Timeout: sendTimeout}}, nil
}

// Put sends values.
func (a *API) Put(ctx context.Context, at time.Time, data []Datum) error {
	for len(data) > 0 {
		n := min(len(data), maxData)
		if err := a.call(ctx, form(at, data[:n])); err != nil {
			return fmt.Errorf("PutMetricData: %w", err)
		}
		data = data[n:]
	}
	return nil
}

// form is the body of a call.
func form(at time.Time, data []Datum) url.Values {
	v := url.Values{"Action": {"PutMetricData"}, "Version": {"2010-08-01"}, "Namespace": {Namespace}}
	for i, d := range data {
		p := fmt.Sprintf("MetricData.member.%d.", i+1)
		v.Set(p+"MetricName", d.Name)
		v.Set(p+"Unit", d.Unit)
		v.Set(p+"Value", strconv.FormatFloat(d.Value, 'g', -1, 64))
		v.Set(p+"Timestamp", at.UTC().Format(time.RFC3339))
		for j, dim := range d.Dimensions {
			q := fmt.Sprintf("%sDimensions.member.%d.", p, j+1)
			v.Set(q+"Name", dim.Name)
			v.Set(q+"Value", dim.Value)
		}
	}
	return v
}

// call signs and sends a request.
func (a *API) call(ctx context.Context, v url.Values) error {
	body := []byte(v.Encode())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.endpoint, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	credentials, err := a.config.Credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, credentials, req, hex.EncodeToString(sum[:]), "monitoring", a.config.Region, time.Now()); err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return err
	}
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return fmt.Errorf("status %d: %s", resp.StatusCode, reason(answer))
}

// reason is what an answer says of its error.
func reason(answer []byte) string {
	var e struct {
		Code    string `xml:"Error>Code"`
		Message string `xml:"Error>Message"`
	}
	if xml.Unmarshal(answer, &e) != nil || e.Code == "" {
		return strconv.Quote(string(answer[:min(len(answer), 200)]))
	}
	return e.Code + ": " + e.Message
}
