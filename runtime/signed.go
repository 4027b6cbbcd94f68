package runtime

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"time"

	"hafile/lang/planfile"
	"hafile/lang/sshsig"
	"hafile/runtime/control"
)

// SignatureNamespace is what a plan is signed for: ssh-keygen -Y sign -n hafile-plan.
const SignatureNamespace = "hafile-plan"

// codeSignature: a plan that must be signed is not, or not by somebody who may.
const codeSignature = "HA3013"

// signed replaces the plan of a request by the one that the signature is about, byte for
// byte, so that nothing unsigned is read of it. A signature that is there is verified,
// whether one is required or not.
func (d *daemon) signed(req *control.Apply) *control.Problem {
	refuse := func(err error, detail string) *control.Problem {
		return &control.Problem{Exit: planfile.ExitRefused, Code: codeSignature, Summary: "the plan is not taken: " + err.Error(), Detail: detail}
	}
	if req.Signature == "" {
		if !d.opt.RequireSignature {
			return nil
		}
		return refuse(errors.New("this daemon takes signed plans only"),
			"Sign it with ssh-keygen -Y sign -n "+SignatureNamespace+" -f KEY FILE, and run hafile apply -signed FILE.")
	}
	allowed, err := os.ReadFile(d.opt.AllowedSigners)
	if err != nil {
		return refuse(err, fmt.Sprintf("Write who may sign into %s, in the format of ssh-keygen's allowed signers.", d.opt.AllowedSigners))
	}
	who, err := sshsig.Verify(req.Signed, []byte(req.Signature), allowed, SignatureNamespace, time.Now())
	if err != nil {
		return refuse(err, fmt.Sprintf("Sign the plan with a key of %s.", d.opt.AllowedSigners))
	}
	doc, err := planfile.Read(bytes.NewReader(req.Signed))
	var p *planfile.Problem
	switch {
	case errors.As(err, &p):
		return problem(p)
	case err != nil:
		return refuse(err, "Make the plan anew with hafile plan -out FILE.")
	}
	req.Plan = doc
	if req.By != "" {
		who += ", sent by " + req.By
	}
	req.By = who
	return nil
}
