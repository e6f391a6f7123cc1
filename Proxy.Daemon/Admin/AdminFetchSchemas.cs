namespace TorBalancer.Daemon.Admin;

/// <summary>JSON schemas of a fetch: its body is read and its answer written by hand, so no type has them.</summary>
internal static class AdminFetchSchemas
{
    public const string Request = """
        {"type": "object", "required": ["url"], "additionalProperties": false, "properties": {
          "url": {"type": "string", "description": "An absolute http or https URL without user name"},
          "mode": {"type": "string", "description": "A balancing mode"},
          "sticky_key": {"type": "string", "minLength": 1, "maxLength": 1024},
          "timeout": {"type": "integer", "minimum": 1, "maximum": 600, "description": "Seconds"},
          "follow_redirects": {"type": "boolean"},
          "headers": {"type": "object", "additionalProperties": {"type": "string"}}}}
        """;

    public const string Answer = """
        {"type": "object", "required": ["success", "redirects", "timing"], "properties": {
          "success": {"type": "boolean"},
          "worker": {"type": "string"},
          "status_code": {"type": "integer"},
          "url": {"type": "string"},
          "redirects": {"type": "integer"},
          "headers": {"type": "object", "additionalProperties": {"type": ["string", "array"], "items": {"type": "string"}}},
          "content_encoding": {"type": "string"},
          "body": {"type": "string"},
          "body_encoding": {"type": "string", "enum": ["base64"]},
          "truncated": {"type": "boolean"},
          "error": {"type": "object", "required": ["cause", "message"], "properties": {
            "cause": {"type": "string"}, "message": {"type": "string"}}},
          "timing": {"type": "object", "required": ["dns_ms", "connect_ms", "total_ms"], "properties": {
            "dns_ms": {"type": "integer"}, "connect_ms": {"type": "integer"}, "total_ms": {"type": "integer"}}}}}
        """;
}
