namespace Ebpf.Cni.Kubernetes.Tests;

internal static class Samples
{
    public const string DualStackService = """
        {
          "apiVersion": "v1",
          "kind": "Service",
          "metadata": {
            "annotations": { "kubectl.kubernetes.io/last-applied-configuration": "{\"apiVersion\":\"v1\",\"kind\":\"Service\"}\n" },
            "creationTimestamp": "2026-03-04T10:11:12Z",
            "labels": { "app": "cart", "team": "shöp" },
            "managedFields": [{ "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": { "f:spec": { "f:ports": { "k:{\"port\":9000}": {} } } }, "manager": "kubectl" }],
            "name": "cart",
            "namespace": "shop",
            "resourceVersion": "48211",
            "uid": "6f2a"
          },
          "spec": {
            "clusterIP": "10.96.12.7",
            "clusterIPs": ["10.96.12.7", "fd00:10:96::c07"],
            "externalTrafficPolicy": "Cluster",
            "internalTrafficPolicy": "Cluster",
            "ipFamilies": ["IPv4", "IPv6"],
            "ipFamilyPolicy": "RequireDualStack",
            "ports": [
              { "name": "grpc", "nodePort": 31234, "port": 9000, "protocol": "TCP", "targetPort": "grpc" },
              { "port": 53, "protocol": "UDP", "targetPort": 5353 }
            ],
            "selector": { "app": "cart" },
            "sessionAffinity": "None",
            "type": "NodePort"
          },
          "status": { "loadBalancer": {} }
        }
        """;

    public const string LoadBalancerService = """
        {
          "metadata": {
            "annotations": { "service.beta.kubernetes.io/load-balancer-source-ranges": "198.51.100.0/24" },
            "name": "web", "namespace": "shop", "resourceVersion": "7", "uid": "8c1d"
          },
          "spec": {
            "allocateLoadBalancerNodePorts": false,
            "clusterIPs": ["10.96.12.8"],
            "externalIPs": ["203.0.113.80", null],
            "externalTrafficPolicy": "Local",
            "healthCheckNodePort": 32100,
            "internalTrafficPolicy": "Local",
            "loadBalancerSourceRanges": ["192.0.2.0/24", " 2001:db8::/32 "],
            "ports": [{ "name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080 }],
            "sessionAffinity": "ClientIP",
            "sessionAffinityConfig": { "clientIP": { "timeoutSeconds": 60 } },
            "type": "LoadBalancer"
          },
          "status": {
            "loadBalancer": {
              "ingress": [
                { "ip": "198.51.100.1", "ipMode": "VIP", "ports": [{ "port": 80, "protocol": "TCP" }] },
                { "ip": "198.51.100.2", "ipMode": "Proxy" },
                { "ip": "198.51.100.3" },
                { "hostname": "balancer.example" },
                { "ip": "198.51.100.4", "ipMode": "Later" },
                { "ip": "" },
                null
              ]
            }
          }
        }
        """;

    public const string Slice = """
        {
          "addressType": "IPv4",
          "apiVersion": "discovery.k8s.io/v1",
          "endpoints": [
            { "addresses": ["10.244.1.5"], "conditions": { "ready": true, "serving": true, "terminating": false }, "nodeName": "node-a",
              "targetRef": { "kind": "Pod", "name": "cart-1", "namespace": "shop", "uid": "1" }, "zone": "z1",
              "hints": { "forNodes": [{ "name": "node-a" }], "forZones": [{ "name": "z1" }, null, { "name": "z2" }] } },
            { "addresses": ["10.244.1.6"] },
            { "addresses": ["10.244.1.7"], "conditions": { "ready": false } },
            { "addresses": ["10.244.2.8"], "conditions": { "ready": false, "serving": true, "terminating": true }, "nodeName": "node-b" },
            { "addresses": ["10.244.2.9"], "conditions": { "ready": null, "serving": null, "terminating": null } }
          ],
          "kind": "EndpointSlice",
          "metadata": {
            "annotations": { "endpoints.kubernetes.io/last-change-trigger-time": "2026-03-04T10:11:12.123456789Z" },
            "generateName": "cart-",
            "labels": { "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io", "kubernetes.io/service-name": "cart" },
            "name": "cart-x7k2p",
            "namespace": "shop",
            "ownerReferences": [{ "apiVersion": "v1", "kind": "Service", "name": "cart", "uid": "6f2a" }],
            "resourceVersion": "48300",
            "uid": "77aa"
          },
          "ports": [{ "name": "grpc", "port": 9000, "protocol": "TCP", "appProtocol": "grpc" }, { "name": "", "protocol": "TCP" }]
        }
        """;

    public const string Node = """
        {
          "apiVersion": "v1",
          "kind": "Node",
          "metadata": { "name": "node-a", "resourceVersion": "99", "uid": "n-1", "labels": { "kubernetes.io/hostname": "node-a", "topology.kubernetes.io/zone": "z1" } },
          "spec": { "podCIDR": "10.244.1.0/24", "podCIDRs": ["10.244.1.0/24", "fd00:244:1::/64"], "taints": [{ "effect": "NoSchedule", "key": "x" }] },
          "status": {
            "addresses": [
              { "address": "192.168.64.3", "type": "InternalIP" },
              { "address": "fd00::3", "type": "InternalIP" },
              { "address": "203.0.113.5", "type": "ExternalIP" },
              { "address": "node-a", "type": "Hostname" }
            ],
            "capacity": { "cpu": "8" },
            "conditions": [{ "lastHeartbeatTime": "2026-03-04T10:11:12Z", "status": "True", "type": "Ready" }],
            "images": [{ "names": ["registry.example/pause:3.9"], "sizeBytes": 743952 }],
            "nodeInfo": { "kernelVersion": "6.1.0" }
          }
        }
        """;

    /// <summary>A Node as a cloud's has it: 50 images, managed fields, conditions, labels.</summary>
    public static string LargeNode()
    {
        var images = string.Join(',', Enumerable.Range(0, 50).Select(i => $$$"""
            {"names":["registry.example/team/component-{{{i}}}@sha256:{{{new string('a', 64)}}}","registry.example/team/component-{{{i}}}:v1.{{{i}}}.0"],"sizeBytes":743952{{{i}}} }
            """.Trim()));
        var labels = string.Join(',', Enumerable.Range(0, 15).Select(i => $"\"example.com/label-{i}\":\"value-{i}\""));
        var fields = string.Join(',', Enumerable.Range(0, 40).Select(i => $$$"""
            "k:{\"type\":\"Condition{{{i}}}\"}":{".":{},"f:lastHeartbeatTime":{},"f:message":{},"f:reason":{},"f:status":{}}
            """.Trim()));
        var conditions = string.Join(',', Enumerable.Range(0, 8).Select(i => $$$"""
            {"type":"Condition{{{i}}}","status":"False","lastHeartbeatTime":"2026-03-04T10:11:12Z","lastTransitionTime":"2026-03-01T10:11:12Z","reason":"AsItShouldBe","message":"this node has no trouble of kind {{{i}}}"}
            """.Trim()));
        return $$$"""
            {"kind":"Node","apiVersion":"v1","metadata":{"name":"node-a","uid":"n-1","resourceVersion":"99","creationTimestamp":"2026-01-01T00:00:00Z","labels":{"topology.kubernetes.io/zone":"z1",{{{labels}}} },"annotations":{"volumes.kubernetes.io/controller-managed-attach-detach":"true"},"managedFields":[{"manager":"kubelet","operation":"Update","apiVersion":"v1","time":"2026-03-04T10:11:12Z","fieldsType":"FieldsV1","fieldsV1":{"f:status":{"f:conditions":{ {{{fields}}} } } },"subresource":"status"}]},"spec":{"podCIDR":"10.244.1.0/24","podCIDRs":["10.244.1.0/24"],"providerID":"cloud:///z1/i-1"},"status":{"capacity":{"cpu":"8","memory":"32Gi","pods":"110"},"allocatable":{"cpu":"8","memory":"31Gi","pods":"110"},"conditions":[{{{conditions}}}],"addresses":[{"type":"InternalIP","address":"192.168.64.3"},{"type":"Hostname","address":"node-a"}],"daemonEndpoints":{"kubeletEndpoint":{"Port":10250}},"nodeInfo":{"machineID":"m","kernelVersion":"6.1.0","osImage":"Linux"},"images":[{{{images}}}]}}
            """.Trim();
    }
}
