# METADATA
# title: Requests of admission
# description: |
#   What the API server asks about, `input.request` of an AdmissionReview. Rules that look at `input.request.object` are
#   silent where it is not there, and a policy that is silent allows.
package lib.review

# METADATA
# scope: document
# title: Whether the object that is to be judged is not there
# description: |
#   A deletion has no object, and a connection neither; anything else without one is not a review. True, too, where there
#   is no input at all.
default lacks_object := true

lacks_object := false if is_object(input.request.object)

lacks_object := false if input.request.operation in {"DELETE", "CONNECT"}
