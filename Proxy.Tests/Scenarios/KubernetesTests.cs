using System.Text.Json;
using System.Text.Json.Serialization;
using k8s.Models;
using TorBalancer.Tests.Architecture;
using TorBalancer.Tests.Support;
using YamlDotNet.Serialization;

namespace TorBalancer.Tests.Scenarios;

/// <summary>
/// contrib/kubernetes, as far as it can be judged without a cluster: what kustomize makes of it fits the schema of the API (every field is
/// one and of its type), the objects name each other rightly, and the daemon and tor take their files.
/// </summary>
[CancelAfter(60_000)]
public sealed class KubernetesTests
{
    private const string Folder = "contrib/kubernetes";

    // The library's classes are made from the API's OpenAPI description.
    private static readonly Dictionary<string, Type> Kinds = new(StringComparer.Ordinal)
    {
        ["v1/Namespace"] = typeof(V1Namespace),
        ["v1/ConfigMap"] = typeof(V1ConfigMap),
        ["v1/Service"] = typeof(V1Service),
        ["apps/v1/Deployment"] = typeof(V1Deployment),
        ["apps/v1/StatefulSet"] = typeof(V1StatefulSet),
        ["policy/v1/PodDisruptionBudget"] = typeof(V1PodDisruptionBudget),
        ["networking.k8s.io/v1/NetworkPolicy"] = typeof(V1NetworkPolicy),
    };

    private static readonly JsonSerializerOptions Strict = new() { UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow };

    [Test]
    public async Task Manifests_fit_the_schema_and_each_other(CancellationToken token)
    {
        var built = await ProgramRun.RunAsync(
            ClientProcess.Require("kubectl"), ["kustomize", Path.Combine(Repository.Root, Folder)], token);
        Assert.That(built.ExitCode, Is.Zero, built.Error);
        var objects = built.Output.Split("\n---\n").Select(Read).ToList();

        var gateway = objects.OfType<V1Deployment>().Single();
        var workers = objects.OfType<V1StatefulSet>().Single();
        var headless = objects.OfType<V1Service>().Single(static one => one.Spec.ClusterIP == "None");
        var service = objects.OfType<V1Service>().Single(static one => one.Spec.ClusterIP is null);
        Assert.That(workers.Spec.ServiceName, Is.EqualTo(headless.Metadata.Name));
        var (workerLabels, gatewayLabels) = (workers.Spec.Template.Metadata.Labels, gateway.Spec.Template.Metadata.Labels);
        Assert.That(headless.Spec.Selector, Is.SubsetOf(workerLabels));
        Assert.That(workers.Spec.Selector.MatchLabels, Is.SubsetOf(workerLabels));
        Assert.That(service.Spec.Selector, Is.SubsetOf(gatewayLabels));
        Assert.That(gateway.Spec.Selector.MatchLabels, Is.SubsetOf(gatewayLabels));
        Assert.That(
            objects.OfType<V1PodDisruptionBudget>().Select(static one => one.Spec.Selector.MatchLabels.Values.Single()),
            Is.EquivalentTo(["torbalancer", "tor-worker"]));
        Assert.That(workers.Spec.VolumeClaimTemplates.Single().Metadata.Name, Is.EqualTo("state"), "the guards are kept");

        // What the daemon asks for is what the headless service has: _PORT._tcp.SERVICE.NAMESPACE.svc.
        string conf = Repository.Text($"{Folder}/torbalancer.conf");
        string asked = $"{headless.Metadata.Name}.{headless.Metadata.NamespaceProperty}.svc.";
        Assert.That(conf, Does.Contain($"Name = _{headless.Spec.Ports.Single().Name}._tcp.{asked}"));

        // LameDuck and DrainTimeout.
        Assert.That(gateway.Spec.Template.Spec.TerminationGracePeriodSeconds, Is.GreaterThan(15 + 60));
        var names = objects.OfType<V1ConfigMap>().Select(static one => one.Metadata.Name).ToList();
        foreach (var pod in (V1PodSpec[])[gateway.Spec.Template.Spec, workers.Spec.Template.Spec])
            Assert.That(pod.Volumes.Select(static one => one.ConfigMap?.Name).OfType<string>(), Is.SubsetOf(names));
    }

    [Test]
    public async Task Daemon_and_tor_take_their_files(CancellationToken token)
    {
        string resolver = Repository.Text($"{Folder}/cluster-dns.env").Trim().Split('=')[1];
        var check = await ProgramRun.RunAsync(
            ProgramRun.Daemon,
            ["check", "--config", Path.Combine(Repository.Root, Folder, "torbalancer.conf"), $"--Discovery:Resolver={resolver}"], token);
        Assert.That(check.ExitCode, Is.Zero, check.Error);
        Assert.That(check.Output + check.Error, Does.Not.Contain("warning"));

        string directory = Directory.CreateTempSubdirectory("tbk8s").FullName;
        try
        {
            var verified = await ProgramRun.RunAsync(
                ClientProcess.Require("tor"),
                [
                    "--verify-config", "--defaults-torrc", "/dev/null", "-f", Path.Combine(Repository.Root, Folder, "torrc"),
                    "--DataDirectory", directory,
                ], token);
            Assert.That(verified.ExitCode, Is.Zero, verified.Output);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static object Read(string yaml)
    {
        object? parsed = new DeserializerBuilder().WithAttemptingUnquotedStringTypeDeserialization().Build().Deserialize(yaml);
        string json = new SerializerBuilder().JsonCompatible().Build().Serialize(parsed!);
        using var document = JsonDocument.Parse(json);
        var root = document.RootElement;
        string kind = $"{root.GetProperty("apiVersion").GetString()}/{root.GetProperty("kind").GetString()}";
        Assert.That(Kinds, Contains.Key(kind));
        return JsonSerializer.Deserialize(json, Kinds[kind], Strict)!;
    }
}
